"""Nodes on workers: what they may do to the results, to each other and to the run."""

import contextlib
import signal
import time

import pandas as pd
import psutil
import pytest
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline, node

from mnist_kedro.runners import DaskRunner
from tests.runners import nodes

pytestmark = pytest.mark.slow

RUNNER = "--runner=mnist_kedro.runners.DaskRunner"
CANDIDATES = ["logistic_regression", "random_forest", "mlp_64"]


def load(project, *names):
    bootstrap_project(project)
    with contextlib.chdir(project), KedroSession.create(project_path=project) as session:
        catalog = session.load_context().catalog
        return [catalog[name].load() for name in names]


def wait_for(condition, process=None, seconds=180):
    until = time.monotonic() + seconds
    while not condition():
        assert process is None or process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.05)


def test_the_results_are_those_of_a_sequential_run(
    finished_project, used_project, run_kedro, cluster
):
    stages = f"--namespaces=data_split,{','.join(CANDIDATES)}"
    where = f"--runner-params=address={cluster.address}"
    done = run_kedro(used_project, "run", stages, "--params=tracking.enabled=true", RUNNER, where)
    assert done.returncode == 0, done.stderr
    assert "(8 of 8)" in done.stderr  # the progress, from this process
    assert "Candidates on embedded digits (not MNIST)" in done.stdout

    names = [f"{name}.metrics" for name in CANDIDATES]
    assert_equal(load(finished_project[0], *names), load(used_project, *names))
    names = ["splits", *(f"{name}.validation_predictions" for name in CANDIDATES)]
    both = zip(load(finished_project[0], *names), load(used_project, *names), strict=True)
    for one, other in both:
        pd.testing.assert_frame_equal(one, other)
    assert statuses(used_project) == dict.fromkeys([*CANDIDATES, "parent"], "FINISHED")


def assert_equal(one, other):
    def untimed(metrics):
        return {k: v for k, v in metrics.items() if "seconds" not in k and "_ms_" not in k}

    assert [untimed(metrics) for metrics in one] == [untimed(metrics) for metrics in other]


def statuses(project):
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{project}/mlflow.db")
    (experiment,) = client.search_experiments(filter_string="name = 'mnist_kedro'")
    runs = client.search_runs([experiment.experiment_id])
    is_child = "mlflow.parentRunId"
    return {
        run.info.run_name if is_child in run.data.tags else "parent": run.info.status
        for run in runs
    }


def test_so_are_those_of_folds(used_project, run_kedro, cluster):
    folds = ("run", "--namespaces=data_split,mlp_64", "--params=data_split.folds=3")
    tables = []
    for runner in ((), (RUNNER, f"--runner-params=address={cluster.address}")):
        done = run_kedro(used_project, *folds, *runner)
        assert done.returncode == 0, done.stderr
        tables += load(used_project, "mlp_64.pooled_predictions")
    pd.testing.assert_frame_equal(*tables)


def test_without_an_address_there_is_a_cluster_for_the_run(used_project, run_kedro):
    done = run_kedro(
        *(used_project, "run", "--pipelines=data_split", RUNNER, "--runner-params=max_workers=1")
    )
    assert done.returncode == 0, done.stderr
    assert len(list((used_project / "data/05_model_input/splits.csv").iterdir())) == 2


def test_the_workers_of_a_run_have_its_temporary_folder(run, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert run("temporary_folder", max_workers=1)("left") == str(tmp_path)


def test_a_node_whose_worker_is_killed_between_its_outputs_runs_again(run, cluster):
    load = run("two_outputs", address=cluster.address)
    assert run.marker.exists()  # so the first attempt was killed, with `left` saved
    assert (load("begun"), load("left")) == ("saved", "one")
    assert load("right").marker == str(run.marker)


def test_a_node_that_kills_all_its_workers_ends_the_run(run, start_cluster):
    sentence = r"expected a worker to finish kill-v1, found 2 that died of it"
    with pytest.raises(ChildProcessError, match=sentence):
        run("kill", address=start_cluster(2).address)
    assert run.load("begun") == "saved"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_scheduler_that_dies_ends_the_run(run, start_cluster, number):
    import threading

    cluster = start_cluster(1)

    def stop():
        wait_for(run.marker.exists)
        cluster.scheduler.send_signal(number)

    threading.Thread(target=stop).start()
    start = time.monotonic()
    with pytest.raises(ConnectionError, match=f"expected the scheduler {cluster.address} to stay"):
        run("wait", address=cluster.address)
    assert time.monotonic() - start < 40
    assert run.load("begun") == "saved"


def test_a_node_has_as_many_threads_as_it_says(run, cluster):
    load = run("one_thread", "two_threads", address=cluster.address)
    assert load("left") == {"torch": 1, "pools": [1], "joblib": 1}
    assert load("right") == {"torch": 2, "pools": [2], "joblib": 2}


def test_other_nodes_have_as_many_threads_as_the_runner_says(run, cluster):
    load = run("one_thread", address=cluster.address, threads=2)
    assert load("left") == {"torch": 2, "pools": [2], "joblib": 2}


@pytest.mark.parametrize(
    ("name", "error", "text"),
    [
        ("fail", ArithmeticError, "of the node's own"),
        ("never_end", RecursionError, "maximum recursion depth exceeded"),  # Dask would wait
    ],
)
def test_an_error_of_a_node_is_the_error_of_the_run(run, cluster, name, error, text):
    with pytest.raises(error, match=text):
        run(name, address=cluster.address)


def test_a_number_of_threads_that_no_worker_has_is_refused(run, cluster):
    sentence = "with --nthreads 1 --resources threads=3, found 2 with --nthreads 1 and at most 2"
    with pytest.raises(ValueError, match=sentence):
        run("three", address=cluster.address)
    assert not run.marker.parent.joinpath("begun").exists()


def test_workers_that_run_two_nodes_at_once_are_refused(run, start_cluster):
    with pytest.raises(ValueError, match="found none with --nthreads 1"):
        run("one_thread", address=start_cluster(1, nthreads=2).address)


def test_results_that_would_stay_in_memory_are_refused(tmp_path):
    with pytest.raises(ValueError, match="found begun in memory, which another process does not"):
        DaskRunner(max_workers=1).run(Pipeline([node(nodes.first, None, "begun")]), DataCatalog())


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense"])
def test_no_scheduler_is_said_in_one_sentence(run, monkeypatch, address):
    monkeypatch.setattr("mnist_kedro.runners.dask_runner.ANSWER_SECONDS", 1)
    with pytest.raises(ConnectionError, match=f"expected a Dask scheduler at {address}, found"):
        run(address=address)


SLOW = ("--namespaces=mlp_64", "--params=candidates.mlp_64.hyperparameters.epochs=1000000")


def test_a_run_that_is_stopped_leaves_nothing_to_the_scheduler(used_project, start, start_cluster):
    cluster = start_cluster(1)
    process = start(used_project, *SLOW, RUNNER, f"--runner-params=address={cluster.address}")
    wait_for(lambda: cluster.tasks() == 1, process)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=10)
    assert (process.returncode, errors.splitlines()[-1]) == (143, "Stopped by SIGTERM.")
    wait_for(lambda: cluster.tasks() == 0)


def test_a_run_that_is_stopped_leaves_no_workers(used_project, start):
    process = start(used_project, *SLOW, RUNNER, "--runner-params=max_workers=1")
    itself = psutil.Process(process.pid)

    def works():
        return any(each.cpu_times().user > 4 for each in itself.children(recursive=True))

    wait_for(works, process)
    workers = itself.children(recursive=True)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=10)
    assert process.returncode == 143
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert alive == []


def test_where_nothing_is_to_be_done_no_cluster_is_started(run):
    assert DaskRunner(address="tcp://127.0.0.1:9").run(Pipeline([]), DataCatalog()) == {}
