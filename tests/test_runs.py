"""Runs: which live, what they finished, which were killed."""

import os
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from mnist_kedro import runs
from mnist_kedro.runs import LivingRun, finished, has_ended, killed_runs

RUN = """
import pathlib, sys
from mnist_kedro.runs import LivingRun
run = LivingRun(pathlib.Path(sys.argv[1]), sys.argv[2])
run.finish({"splits": "abc"})
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


def test_a_record_says_what_is_finished(tmp_path):
    run = LivingRun(tmp_path, "1")
    assert finished(tmp_path, "1") == {}
    run.finish({"splits": "abc"})
    run.finish({"model": "def", "history": "def"})
    run.end()
    assert finished(tmp_path, "1") == {"splits": "abc", "model": "def", "history": "def"}
    assert finished(tmp_path, "2") == {}
    assert [path.name for path in (tmp_path / runs.FOLDER).iterdir()] == ["1.json"]


def test_the_latest_run_comes_first(tmp_path):
    for version in ("2", "10", "1"):
        LivingRun(tmp_path, f"2026-{version:>02}").end()
    assert runs.versions(tmp_path) == ["2026-10", "2026-02", "2026-01"]


def test_a_run_that_lives_is_left_alone(tmp_path):
    with process_that_runs(tmp_path, "1") as process:
        assert list(killed_runs(tmp_path)) == []
        assert not has_ended(tmp_path, "1")
        process.stdin.close()
        process.wait()
    assert has_ended(tmp_path, "1")


def test_a_killed_run_is_told_once_and_what_it_finished_stays(tmp_path):
    with process_that_runs(tmp_path, "1") as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert has_ended(tmp_path, "1")
    assert list(killed_runs(tmp_path)) == ["1"]
    assert list(killed_runs(tmp_path)) == []
    assert has_ended(tmp_path, "1")
    assert finished(tmp_path, "1") == {"splits": "abc"}


def test_a_run_that_has_ended_was_not_killed(tmp_path):
    LivingRun(tmp_path, "1").end()
    assert has_ended(tmp_path, "1")
    assert list(killed_runs(tmp_path)) == []


def test_nothing_is_known_of_the_runs_of_others(tmp_path):
    assert not has_ended(tmp_path, "1")
    assert runs.versions(tmp_path) == []
    assert list(killed_runs(tmp_path)) == []


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


def test_temporary_files_go_with_the_run(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    run = LivingRun(tmp_path, "1")
    left = Path(tempfile.mkdtemp())
    assert left.parent.parent == tmp_path
    assert left.parent.stat().st_mode & 0o777 == 0o700
    run.end()
    assert tempfile.gettempdir() == str(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [runs.FOLDER]


def test_temporary_files_of_a_killed_run_go_with_the_next_one(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with process_that_runs(tmp_path, "1") as process:
        process.send_signal(signal.SIGKILL)
    (left,) = tmp_path.glob("mnist-*")
    assert left.is_dir()
    assert list(killed_runs(tmp_path)) == ["1"]
    assert [path.name for path in tmp_path.iterdir()] == [runs.FOLDER]
    assert [path.name for path in (tmp_path / runs.FOLDER).iterdir()] == ["1.json"]
