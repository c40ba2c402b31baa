"""`python -m benchmarks.side_by_side`: what it costs to send nodes to workers.

Its figures are in docs/scaling.md. `python -m benchmarks` leaves it out: it needs two free cores.
"""

from __future__ import annotations

import logging
import statistics
import time
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from distributed import LocalCluster
from kedro.framework.project import configure_project
from kedro.io import SharedMemoryDataCatalog
from kedro.pipeline import Pipeline, node
from kedro.runner import ParallelRunner

from benchmarks.measure import in_turn
from mnist_kedro.runners import DaskRunner

if TYPE_CHECKING:
    from collections.abc import Callable

    from kedro.runner import AbstractRunner

RUNS = 5
NODES = 50


def nothing() -> int:
    """Take no time."""
    return 0


def seconds(runner: AbstractRunner, count: int) -> float:
    """Return how long a runner takes for so many independent nodes, each with a saved output."""
    with TemporaryDirectory() as folder:
        names = [f"output_{number}" for number in range(count)]
        files = {
            name: {"type": "json.JSONDataset", "filepath": str(Path(folder, name))}
            for name in names
        }
        pipeline = Pipeline([node(nothing, None, name, name=name) for name in names])
        start = time.perf_counter()
        runner.run(pipeline, SharedMemoryDataCatalog.from_config(files))
        return time.perf_counter() - start


def main() -> None:
    """Measure and print."""
    configure_project("mnist_kedro")
    logging.disable(logging.INFO)
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster:
        runners: dict[str, Callable[[], AbstractRunner]] = {
            "a running cluster, two workers": partial(DaskRunner, cluster.scheduler_address),
            "ParallelRunner, two processes": partial(ParallelRunner, max_workers=2),
        }

        def measure(runner: Callable[[], AbstractRunner]) -> tuple[float, float]:
            return seconds(runner(), 1), seconds(runner(), NODES + 1)

        results = in_turn([partial(measure, runner) for runner in runners.values()], RUNS)
    for name, times in zip(runners, results, strict=True):
        few, many = map(statistics.median, zip(*times, strict=True))
        print(f"{name}: {few:.2f} s for one node, {1000 * (many - few) / NODES:.1f} ms a node more")
    own = statistics.median(seconds(DaskRunner(max_workers=2), 2) for _ in range(RUNS))
    print(f"a cluster of the run's own, two workers: {own:.2f} s for two nodes")


if __name__ == "__main__":
    main()
