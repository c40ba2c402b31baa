import os

import pytest
from kedro.pipeline import node, pipeline

from mnist_kedro.run import progress
from mnist_kedro.run.progress import ProgressHooks, duration

NODE, OTHER = node(len, "a", "b", name="cnn.train"), node(len, "b", "c", name="report")


@pytest.fixture
def hooks(monkeypatch):
    seconds = iter([0.0, 6.75, 7.0, 7.0, 100.0, 200.0])
    monkeypatch.setattr(progress, "perf_counter", lambda: next(seconds))
    return ProgressHooks()


def begin(hooks, run_id, *, only_missing_outputs=False):
    run_params = {"run_id": run_id, "only_missing_outputs": only_missing_outputs}
    hooks.before_pipeline_run(run_params, pipeline([NODE, OTHER]))


def run(hooks, each, run_id):
    hooks.before_node_run(each, run_id)
    hooks.after_node_run(each, run_id)


def test_each_node_has_its_number_and_its_time(hooks, caplog):
    caplog.set_level("INFO")
    begin(hooks, "1")
    run(hooks, NODE, "1")
    run(hooks, OTHER, "1")
    assert caplog.messages == [" 1 of 2  cnn.train, 6.8 s", " 2 of 2  report, 0.0 s"]


def test_runs_in_one_process_count_apart(hooks, caplog):
    caplog.set_level("INFO")
    begin(hooks, "1")
    begin(hooks, "2")
    run(hooks, NODE, "1")
    run(hooks, NODE, "2")
    run(hooks, OTHER, "2")
    assert [line[:8] for line in caplog.messages] == [" 1 of 2 ", " 1 of 2 ", " 2 of 2 "]


def test_where_the_number_is_not_known_there_is_none(hooks, caplog, monkeypatch):
    caplog.set_level("INFO")
    begin(hooks, "1", only_missing_outputs=True)
    run(hooks, NODE, "1")
    begin(hooks, "2")
    monkeypatch.setattr(os, "getpid", lambda: -1)  # as in a worker process
    run(hooks, NODE, "2")
    assert caplog.messages == ["cnn.train, 6.8 s", "cnn.train, 0.0 s"]


def test_durations_are_as_people_read_them():
    assert (duration(10.84), duration(125.2)) == ("10.8 s", "2 min 5 s")
