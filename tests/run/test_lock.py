import signal
import subprocess
import sys
import threading

import pytest

from mnist_kedro.parameters import UserError
from mnist_kedro.run.lock import is_alive, living_runs, release, take_version

HOLD = """
import sys, time
from pathlib import Path
from mnist_kedro.run.lock import take_version
lock = take_version(Path(sys.argv[1]), "1")
print("held", flush=True)
time.sleep(60)
"""


def test_a_run_is_alive_until_it_ends(tmp_path):
    assert not is_alive(tmp_path, "1")
    lock = take_version(tmp_path, "1")
    assert is_alive(tmp_path, "1")
    assert not is_alive(tmp_path, "2")
    thread = threading.Thread(target=release, args=(lock,))  # as Kedro's server may do
    thread.start()
    thread.join()
    assert not is_alive(tmp_path, "1")
    assert list((tmp_path / ".runs").iterdir()) == []


def test_no_two_runs_have_one_version(tmp_path):
    lock = take_version(tmp_path, "1")
    with pytest.raises(UserError, match="found 1 in use: two runs started in the same milli"):
        take_version(tmp_path, "1")
    release(lock)
    release(take_version(tmp_path, "1"))


def test_a_killed_run_is_not_alive(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"held\n"
    assert is_alive(tmp_path, "1")
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert not is_alive(tmp_path, "1")


def test_all_living_runs_are_named(tmp_path):
    assert living_runs(tmp_path) == []
    locks = [take_version(tmp_path, run_id) for run_id in ("2026-01-02T03.04.05.678Z", "1", "2")]
    locks.pop().release()  # as a killed run's is
    assert living_runs(tmp_path) == ["1", "2026-01-02T03.04.05.678Z"]
    for lock in locks:
        release(lock)
