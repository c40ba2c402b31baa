"""A Dask cluster of processes of its own, as on machines of their own."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from kedro.framework.project import configure_project
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline, node

from mnist_kedro.runners import DaskRunner
from tests.runners import nodes

ROOT = Path(__file__).parents[2]
SECONDS = 180  # for all to be there
SAVED = {"type": "pickle.PickleDataset", "versioned": True}
NODES = {
    "first": node(nodes.first, None, "begun", name="first"),
    "two_outputs": node(nodes.two_outputs, ["begun", "marker"], ["left", "right"], name="two"),
    "kill": node(nodes.kill, "begun", "never", name="kill"),
    "wait": node(nodes.wait, ["begun", "marker"], "never", name="wait"),
    "fail": node(nodes.fail, "begun", "never", name="fail"),
    "never_end": node(nodes.never_end, "begun", "never", name="never_end"),
    "one_thread": node(nodes.count_threads, "begun", "left", name="one_thread"),
    "two_threads": node(
        nodes.count_threads, "begun", "right", tags="threads-2", name="two_threads"
    ),
    "side_by_side": node(
        *(nodes.call_side_by_side, ["begun", "marker"], "left"),
        tags="side-by-side",
        name="side_by_side",
    ),
    "temporary_folder": node(nodes.temporary_folder, "begun", "left", name="temporary_folder"),
    "calls_that_kill": node(
        *(nodes.call_and_kill, ["begun", "marker"], "left"),
        tags="side-by-side",
        name="calls_that_kill",
    ),
    "alone": node(nodes.call_side_by_side, ["begun", "marker"], "left", name="alone"),
    "three": node(nodes.count_threads, "begun", "right", tags="threads-3", name="three"),
}


class Cluster:
    """A scheduler and its workers."""

    def __init__(self, folder):
        self._folder, self._processes = folder, []
        file = folder / "scheduler.json"
        arguments = ("--port", "0", "--host", "127.0.0.1", "--no-dashboard")
        self.scheduler = self._start("scheduler", *arguments, "--scheduler-file", str(file))
        until = time.monotonic() + SECONDS
        while not file.exists() or not file.read_text().rstrip().endswith("}"):
            assert time.monotonic() < until
            time.sleep(0.05)
        self.address = json.loads(file.read_text())["address"]

    def start_workers(self, count, threads=1, nthreads=1):
        from distributed import Client

        for _ in range(count):
            self._start(
                *("worker", self.address, "--nthreads", str(nthreads), "--no-dashboard"),
                *("--resources", f"threads={threads}", "--local-directory", str(self._folder)),
            )
        with Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(count, timeout=SECONDS)

    def tasks(self):
        from distributed import Client

        with Client(self.address, set_as_default=False) as client:
            return client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks))

    def _start(self, *arguments):
        environment = {
            "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}",
            "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1",
            "OMP_NUM_THREADS": "7",  # which no node is to have
        }
        log = self._folder / f"{len(self._processes)}.log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", "dask", *arguments],
                cwd=self._folder,
                env=os.environ | environment,
                stderr=file,
            )
        self._processes.append(process)
        return process

    def stop(self):
        scheduler, *workers = self._processes
        for together in (workers, [scheduler]):  # without a scheduler, workers end late
            for process in together:
                process.terminate()
            for process in together:
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


@pytest.fixture(scope="module")
def start_cluster(tmp_path_factory):
    """Function that starts a scheduler and so many workers."""
    clusters = []

    def start(workers, **options):
        clusters.append(Cluster(tmp_path_factory.mktemp("cluster")))
        clusters[-1].start_workers(workers, **options)
        return clusters[-1]

    yield start
    for cluster in clusters:
        cluster.stop()


@pytest.fixture(scope="module")
def cluster(start_cluster):
    """Two workers, each with two threads."""
    return start_cluster(2, threads=2)


@pytest.fixture
def run(tmp_path):
    """Function that runs the node `first` and others; returns a function that loads."""
    configure_project("mnist_kedro")
    names = ("begun", "left", "right", "never")
    config = {name: {**SAVED, "filepath": str(tmp_path / name)} for name in names}
    catalog = DataCatalog.from_config(config, save_version="v1")
    catalog["marker"] = str(tmp_path / "marker")

    def run(*others, **options):
        chosen = Pipeline([NODES[name] for name in ("first", *others)])
        DaskRunner(**options).run(chosen, catalog, run_id="v1")
        return catalog.load

    run.load = catalog.load
    run.marker = tmp_path / "marker"
    return run
