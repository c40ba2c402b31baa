"""Runs: which live, what they finished, which were killed."""

import os
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from mnist_kedro.run import runs
from mnist_kedro.run.runs import LivingRun, done, has_ended, remove_left_overs

RUN = """
import pathlib, sys
from mnist_kedro.run.runs import LivingRun
project = pathlib.Path(sys.argv[1])
files = [str(project / name / sys.argv[2] / name) for name in ("a", "b")]
run = LivingRun(project, sys.argv[2], [files])
run.write_down({"splits": "abc"})
{before}
print("ready", flush=True)
sys.stdin.read()
"""
FORK = """
import os
if not (worker := os.fork()):
    os._exit(0)
os.waitpid(worker, 0)
"""


@contextmanager
def process_that_runs(project, version, before=""):
    code = RUN.replace("{before}", before)
    command = [sys.executable, "-c", code, str(project), version]
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


def save(project, *names):
    """Save files of version 1, as a node of two outputs does."""
    for name in names:
        path = project / name.strip(".") / "1" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def saved(project):
    return sorted(path.name for folder in "ab" for path in (project / folder).glob("*/*"))


def test_a_run_that_lives_is_left_alone(tmp_path):
    with process_that_runs(tmp_path, "1") as process:
        save(tmp_path, "a")
        remove_left_overs(tmp_path)
        assert saved(tmp_path) == ["a"]
        assert not has_ended(tmp_path, "1")
        process.stdin.close()
        process.wait()
    assert has_ended(tmp_path, "1")


@pytest.mark.parametrize(("files", "stay"), [("", []), ("a", []), ("b", []), ("ab", ["a", "b"])])
def test_of_a_node_that_was_cut_off_nothing_stays(tmp_path, files, stay):
    killed(tmp_path, "1")
    save(tmp_path, *files)
    (tmp_path / runs.FOLDER / ".1.json.abc.unfinished").touch()
    assert has_ended(tmp_path, "1")
    remove_left_overs(tmp_path)
    assert saved(tmp_path) == stay
    assert names(tmp_path / runs.FOLDER) == ["1.json"]
    assert has_ended(tmp_path, "1")
    assert done(tmp_path) == {("splits", "abc"): "1"}


def test_the_same_goes_for_a_run_that_ends(tmp_path):
    nodes = [[str(tmp_path / name / "1" / name) for name in pair] for pair in ("ab", "cd")]
    run = LivingRun(tmp_path, "1", nodes)
    save(tmp_path, "a", "b", "c")
    run.end()
    assert [(tmp_path / name / "1").exists() for name in "abcd"] == [True, True, False, False]


def test_a_run_that_was_killed_before_it_had_a_record_is_forgotten(tmp_path):
    (tmp_path / runs.FOLDER).mkdir()
    (tmp_path / runs.FOLDER / "1.lock").touch()
    remove_left_overs(tmp_path)
    assert names(tmp_path / runs.FOLDER) == []


def test_nothing_is_known_of_the_runs_of_others(tmp_path):
    assert not has_ended(tmp_path, "1")
    assert done(tmp_path) == {}
    remove_left_overs(tmp_path)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform does not fork")
def test_a_worker_that_ends_does_not_end_the_run(tmp_path):
    with process_that_runs(tmp_path, "1", before=FORK):
        assert not has_ended(tmp_path, "1")
    assert has_ended(tmp_path, "1")


def test_temporary_files_go_with_the_run(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    run = LivingRun(tmp_path, "1")
    left = Path(tempfile.mkdtemp())
    assert left.parent.parent == tmp_path
    assert left.parent.stat().st_mode & 0o777 == 0o700
    run.end()
    assert tempfile.gettempdir() == str(tmp_path)
    assert names(tmp_path) == [runs.FOLDER]


def test_temporary_files_of_a_killed_run_go_with_the_next_one(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    killed(tmp_path, "1")
    (left,) = tmp_path.glob("mnist-*")
    assert left.is_dir()
    remove_left_overs(tmp_path)
    assert names(tmp_path) == [runs.FOLDER]
    assert names(tmp_path / runs.FOLDER) == ["1.json"]
