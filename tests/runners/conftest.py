"""A Dask cluster of processes of its own, as on machines of their own."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SECONDS = 60  # for all to be there


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
        for process in reversed(self._processes):  # without a scheduler, workers end late
            process.terminate()
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
