"""Changed files and bodies of requests are read or refused, and nothing else ever happens."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import fuzz
from tests.corpus import PNG, with_checksums
from tests.targets import TARGETS, Target

ROOT = Path(__file__).parents[1]
EXAMPLES = 100  # of each target; `make fuzz` tries many more

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # as `pictures.py`; pytest undoes it


@pytest.mark.parametrize("name", TARGETS)
def test_whole_ones_are_read(name, tmp_path):
    path = tmp_path / name
    for data in TARGETS[name].corpus:
        path.write_bytes(data)
        assert TARGETS[name].read(path), data[:80]


@pytest.mark.parametrize("name", TARGETS)
def test_changed_ones_are_read_or_refused(name, tmp_path):
    path = tmp_path / name
    path.write_bytes(TARGETS[name].corpus[0])
    TARGETS[name].read(path)  # imports what it needs, which may take longer than an input

    @settings(fuzz.PROFILE, max_examples=EXAMPLES, derandomize=True, deadline=1000 * fuzz.SECONDS)
    @given(data=TARGETS[name].inputs)
    def read(data):
        path.write_bytes(data)
        TARGETS[name].read(path)

    read()


@pytest.mark.parametrize("data", PNG)
def test_checksums_of_whole_pictures_stay(data):
    assert with_checksums(data) == data


def test_the_smallest_input_at_which_a_reader_fails_is_kept(tmp_path, capsys):
    def read(path):
        if len(path.read_bytes()) > 2:
            raise KeyError("too long")
        return True

    tally = fuzz.fuzz(Target(read, [b"a"], st.binary()), tmp_path / "input", seconds=5)
    assert tally.failed
    assert (tmp_path / "input").read_bytes() == bytes(3)
    assert "KeyError: 'too long'" in capsys.readouterr().err


def test_inputs_are_counted_until_the_time_is_over(tmp_path):
    path = tmp_path / "input"
    target = Target(lambda path: path.read_bytes() == b"a", [b"a"], st.sampled_from([b"a", b"b"]))
    tally = fuzz.fuzz(target, path, seconds=0.01)
    assert not tally.failed
    assert tally.tried > tally.read > 0
    assert not path.exists()


HANG = """
import time
from pathlib import Path
from hypothesis import strategies as st
from tests import fuzz
from tests.targets import Target

fuzz.SECONDS = 0.2
target = Target(lambda path: path.read_bytes() == b"a" or time.sleep(60), [b"a"], st.just(b"b"))
fuzz.fuzz(target, Path("input"), seconds=5)
"""


def test_an_input_that_takes_too_long_is_kept(tmp_path):
    path = {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    done = subprocess.run([sys.executable, "-c", HANG], cwd=tmp_path, env=os.environ | path)
    assert done.returncode == -signal.SIGALRM
    assert (tmp_path / "input").read_bytes() == b"b"


def test_a_process_that_ends_is_a_failure():
    assert fuzz.run_apart(os._exit, 0).failed


@pytest.mark.parametrize(("failed", "status"), [(False, 0), (True, 1)])
def test_the_table_has_a_row_per_target_and_the_status_says_if_all_is_well(
    failed, status, tmp_path, capsys, monkeypatch
):
    tallies = iter([fuzz.Tally(2000, 500, 0.25, 10**8), fuzz.Tally(7, failed=failed)])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(fuzz, "run_apart", lambda *_: next(tallies))
    assert fuzz.main(["digits.idx", "digit.png"]) == status
    printed = capsys.readouterr().out
    (row,) = [line for line in printed.splitlines() if "digits.idx" in line]
    cells = [cell.strip() for cell in row.split("│")]
    assert cells[2:-1] == ["2,000", "500", "1,500", "250 ms", "100 MB"]
    assert "2,007 inputs tried" in printed
    assert ("Neither read nor refused: build/fuzz/digit.png;" in printed) is failed
