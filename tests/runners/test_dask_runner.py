"""Nodes on Dask workers: what they save, how they fail, and what a run leaves behind."""

import signal
import threading
import time
from contextlib import suppress

import mlflow
import psutil
import pytest
from distributed import Client, KilledWorker, LocalCluster
from kedro.framework.project import configure_project
from kedro.io import DataCatalog, DatasetError, MemoryDataset
from kedro.pipeline import Pipeline, node

from mnist_kedro.parameters import UserError
from mnist_kedro.runners import DaskRunner
from tests.runners import nodes

pytestmark = pytest.mark.slow

RUNNER = "--runner=mnist_kedro.runners.DaskRunner"
ENDLESS = ("--namespaces=mlp_64", "--params=candidates.mlp_64.hyperparameters.epochs=1000000")

MODEL = "mnist_kedro.datasets.ModelDataset"  # a file that is whole or absent


@pytest.fixture(scope="module")
def address():
    """Address of a scheduler with two workers."""
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster:
        yield cluster.scheduler_address


@pytest.fixture
def marker(tmp_path):
    return tmp_path / "marker"


@pytest.fixture
def run(tmp_path, marker):
    """Function that runs one node on workers; returns what it saved."""

    def run(function, runner, **entry):
        file = {"type": MODEL, "filepath": str(tmp_path / "output"), **entry}
        catalog = DataCatalog.from_config({"output": file}, save_version="v1")
        catalog["marker"] = str(marker)
        runner.run(Pipeline([node(function, "marker", "output", name="it")]), catalog, run_id="v1")
        return catalog["output"].load()

    return run


def wait_for(condition, seconds=120):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_run_on_a_scheduler_is_tracked_as_ever(used_project, run_kedro, address):
    stages = ("--namespaces=data_split,mlp_64", "--params=tracking.enabled=true")
    where = f"--runner-params=address={address}"
    done = run_kedro(used_project, "run", *stages, RUNNER, where)
    assert done.returncode == 0, done.stderr
    assert "Candidates on embedded digits (not MNIST)" in done.stdout
    runs = mlflow.MlflowClient(f"sqlite:///{used_project}/mlflow.db").search_runs(["1"])
    assert [each.info.status for each in runs] == ["FINISHED"] * 2  # the run and its candidate


def test_validators_check_what_a_worker_saves(run, address, tmp_path):
    with pytest.raises(Exception, match="expected 3 or less, found 5"):
        run(nodes.five, DaskRunner(address), validator="tests.runners.nodes.Small")
    assert not (tmp_path / "output").exists()


def test_hooks_of_the_project_see_what_happens_on_workers(run, address):
    configure_project("tests.runners")
    try:
        with pytest.raises(ArithmeticError, match="of the node's own") as caught:
            run(nodes.fail, DaskRunner(address))
    finally:
        configure_project("mnist_kedro")
    assert caught.value.__notes__ == ["seen by a hook: it"]


def test_endless_recursion_ends_the_run(run, address):  # Dask by itself would wait for ever
    with pytest.raises(RecursionError, match="maximum recursion depth exceeded"):
        run(nodes.never_end, DaskRunner(address))


@pytest.mark.parametrize(("variable", "threads"), [(None, 1), ("2", 2)])
def test_nodes_have_one_thread_unless_the_user_says_otherwise(run, monkeypatch, variable, threads):
    # Dask's nannies set these in this process, too.
    for name in ("OMP", "MKL", "OPENBLAS"):
        monkeypatch.delenv(f"{name}_NUM_THREADS", raising=False)
    monkeypatch.delenv("MALLOC_TRIM_THRESHOLD_", raising=False)
    if variable:
        monkeypatch.setenv("OMP_NUM_THREADS", variable)
    assert run(nodes.threads, DaskRunner(max_workers=1)) == (threads, None)


def test_a_node_whose_worker_dies_runs_again(run, address, marker):
    assert run(nodes.KillsOnce, DaskRunner(address), versioned=True).marker == str(marker)
    assert marker.exists()


def test_what_a_dead_worker_has_saved_is_not_overwritten(tmp_path, marker, address):
    names = ("left", "right")
    file = {"type": MODEL, "versioned": True}
    files = {name: file | {"filepath": str(tmp_path / name)} for name in names}
    catalog = DataCatalog.from_config(files, save_version="v1")
    catalog["marker"] = str(marker)
    two = Pipeline([node(nodes.save_two, "marker", list(names), name="two")])
    with pytest.raises(DatasetError, match="must not exist if versioning is enabled"):
        DaskRunner(address).run(two, catalog, run_id="v1")


def test_a_node_that_kills_its_workers_ends_the_run(run, address):
    with pytest.raises(KilledWorker, match="run task 'it-v1' on 4 different workers"):
        run(nodes.kill, DaskRunner(address))


def test_a_lost_scheduler_ends_the_run(run, marker):
    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0") as cluster:
        address = cluster.scheduler_address

        def close():
            wait_for(marker.exists)
            cluster.close()

        threading.Thread(target=close).start()
        with pytest.raises(ConnectionError, match=f"lost the Dask scheduler {address}: start"):
            run(nodes.wait, DaskRunner(address))


def test_outputs_in_memory_are_refused():
    pipeline = Pipeline([node(nodes.five, "marker", "five")])
    with pytest.raises(UserError, match="save every output, found five in memory"):
        DaskRunner("tcp://127.0.0.1:9").run(pipeline, DataCatalog({"marker": MemoryDataset(1)}))


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense"])
def test_no_scheduler_is_told_within_ten_seconds(run, address):
    start = time.monotonic()
    with pytest.raises(UserError, match=f"expected a Dask scheduler at {address}, found none"):
        run(nodes.five, DaskRunner(address))
    assert time.monotonic() - start < 10


def test_no_workers_are_refused():
    with pytest.raises(UserError, match="expected max_workers to be 1 or more, found 0"):
        DaskRunner(max_workers=0)


def test_where_nothing_is_to_be_done_no_scheduler_is_asked():
    assert DaskRunner("tcp://127.0.0.1:9").run(Pipeline([]), DataCatalog()) == {}


def test_a_run_that_is_stopped_leaves_nothing_to_the_scheduler(used_project, start, address):
    with Client(address, set_as_default=False) as client:

        def tasks():
            return client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks))

        process = start(used_project, *ENDLESS, RUNNER, f"--runner-params=address={address}")
        wait_for(lambda: tasks() == 1)
        process.terminate()
        process.communicate(timeout=10)
        wait_for(lambda: tasks() == 0)
    assert process.returncode == 128 + signal.SIGTERM


def test_a_run_that_is_stopped_leaves_no_workers(used_project, start):
    process = start(used_project, *ENDLESS, RUNNER, "--runner-params=max_workers=1")
    itself = psutil.Process(process.pid)

    def works():
        with suppress(psutil.NoSuchProcess):  # one has ended since it was listed
            return any(each.cpu_times().user > 4 for each in itself.children(recursive=True))
        return False

    wait_for(works)
    workers = itself.children(recursive=True)
    process.terminate()
    process.communicate(timeout=10)
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert alive == []
