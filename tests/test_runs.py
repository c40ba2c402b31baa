"""Runs: which live, what they finished, which were killed."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest

from mnist_kedro import runs
from mnist_kedro.runs import LivingRun, done, has_ended, remove_unfinished

RUN = """
import pathlib, sys
from mnist_kedro.runs import LivingRun
project = pathlib.Path(sys.argv[1])
run = LivingRun(project, sys.argv[2], [str(project / sys.argv[2])])
run.write_down({"splits": "abc"})
print("ready", flush=True)
sys.stdin.read()
"""


@contextmanager
def process_that_runs(project, version):
    command = [sys.executable, "-c", RUN, str(project), version]
    pipes = dict.fromkeys(("stdin", "stdout"), subprocess.PIPE)
    with subprocess.Popen(command, **pipes) as process:
        assert process.stdout.readline() == b"ready\n"
        yield process


def killed(project, version):
    """A run that is killed."""
    with process_that_runs(project, version) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_record_says_what_is_finished(tmp_path):
    run = LivingRun(tmp_path, "1")
    assert done(tmp_path) == {}
    run.write_down({"splits": "abc"})
    run.write_down({"model": "def", "history": "def"})
    run.end()
    assert done(tmp_path) == {
        ("splits", "abc"): "1",
        ("model", "def"): "1",
        ("history", "def"): "1",
    }
    assert names(tmp_path / runs.FOLDER) == ["1.json"]


def test_the_latest_run_that_finished_something_counts(tmp_path):
    for version, fingerprint in (("2026-02", "a"), ("2026-10", "a"), ("2026-11", "b")):
        run = LivingRun(tmp_path, version)
        run.write_down({"splits": fingerprint})
        run.end()
    assert done(tmp_path) == {("splits", "a"): "2026-10", ("splits", "b"): "2026-11"}


def test_a_run_that_lives_is_left_alone(tmp_path):
    with process_that_runs(tmp_path, "1") as process:
        left = tmp_path / "1" / ".file.abc.unfinished"
        left.parent.mkdir()
        left.touch()
        remove_unfinished(tmp_path)
        assert left.exists()
        assert not has_ended(tmp_path, "1")
        process.stdin.close()
        process.wait()
    assert has_ended(tmp_path, "1")


def test_what_a_killed_run_left_is_removed_and_what_it_finished_stays(tmp_path):
    killed(tmp_path, "1")
    folder = tmp_path / "1"  # as its record says
    folder.mkdir()
    for name in (".file.abc.unfinished", "file"):
        (folder / name).touch()
    (tmp_path / runs.FOLDER / ".1.json.abc.unfinished").touch()
    assert has_ended(tmp_path, "1")
    remove_unfinished(tmp_path)
    assert names(folder) == ["file"]
    assert names(tmp_path / runs.FOLDER) == ["1.json"]
    assert has_ended(tmp_path, "1")
    assert done(tmp_path) == {("splits", "abc"): "1"}


def test_empty_folders_of_a_killed_run_are_removed(tmp_path):
    killed(tmp_path, "1")
    (tmp_path / "1").mkdir()
    remove_unfinished(tmp_path)
    assert not (tmp_path / "1").exists()


def test_a_run_that_was_killed_before_it_had_a_record_is_forgotten(tmp_path):
    (tmp_path / runs.FOLDER).mkdir()
    (tmp_path / runs.FOLDER / "1.lock").touch()
    remove_unfinished(tmp_path)
    assert names(tmp_path / runs.FOLDER) == []


def test_a_run_that_has_ended_was_not_killed(tmp_path):
    LivingRun(tmp_path, "1", [str(tmp_path / "1")]).end()
    (tmp_path / "1").mkdir()
    assert has_ended(tmp_path, "1")
    remove_unfinished(tmp_path)
    assert (tmp_path / "1").exists()


def test_nothing_is_known_of_the_runs_of_others(tmp_path):
    assert not has_ended(tmp_path, "1")
    assert done(tmp_path) == {}
    remove_unfinished(tmp_path)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform does not fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded")
def test_a_worker_that_ends_does_not_end_the_run(tmp_path):
    run = LivingRun(tmp_path, "1")
    if not (child := os.fork()):
        os._exit(0)
    os.waitpid(child, 0)
    with process_that_runs(tmp_path, "2"):
        look = "import pathlib, sys; from mnist_kedro.runs import has_ended; "
        look += "print(has_ended(pathlib.Path(sys.argv[1]), '1'))"
        command = [sys.executable, "-c", look, str(tmp_path)]
        assert subprocess.check_output(command) == b"False\n"
    run.end()
