"""`python -m benchmarks.side_by_side`: what it costs to send nodes to workers, and what it gives.

Its figures are in docs/scaling.md. Not part of `python -m benchmarks`: two cores must be free, for
twenty minutes.
"""

from __future__ import annotations

import logging
import os
import statistics
import sys
import time
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from uuid import uuid4

import optuna
from kedro.framework.project import configure_project
from kedro.io import SharedMemoryDataCatalog
from kedro.pipeline import Pipeline, node
from kedro.runner import ParallelRunner

from benchmarks.__main__ import DATA
from benchmarks.commands import KEDRO, run, run_timed
from benchmarks.default_run import copy_project
from benchmarks.measure import in_turn
from mnist_kedro.run import whole_files
from mnist_kedro.runners import DaskRunner
from mnist_kedro.runners.local_cluster import start_cluster

if TYPE_CHECKING:
    from collections.abc import Callable

    from kedro.runner import AbstractRunner

RUNS = 3
NODES = 50  # of no work, to measure what a node costs
COUNTS = (6, 20, 100, 200)  # of simulated candidates
SECONDS = 0.25  # each of them takes
# Of one size, so that two workers, whose trials end in another order, do the same work.
SEARCH = "tuning: {hidden_layers: [2, 2], hidden_units: [512]}\n"


def nothing() -> int:
    """Take no time."""
    return 0


def simulate() -> int:
    """Take a known time, and no CPU."""
    time.sleep(SECONDS)
    return 0


def seconds(runner: AbstractRunner, work: Callable[[], object], count: int) -> float:
    """Return how long a runner takes for so many independent nodes, each with a saved output."""
    with TemporaryDirectory() as folder:
        names = [f"output_{number}" for number in range(count)]
        config = {
            name: {"type": "json.JSONDataset", "filepath": str(Path(folder, name))}
            for name in names
        }
        catalog = SharedMemoryDataCatalog.from_config(config)
        # Dask remembers how long what has the same name took.
        nodes = [node(work, None, name, name=f"{work.__name__}_{name}") for name in names]
        pipeline = Pipeline(nodes)
        start = time.perf_counter()
        runner.run(pipeline, catalog)
        return time.perf_counter() - start


def measure_nodes(one: str, two: str) -> None:
    """Print what nodes cost that do nothing, under each runner.

    Args:
        one: Address of a scheduler with one worker.
        two: The same, with two.
    """
    runners: dict[str, Callable[[], AbstractRunner]] = {
        "one worker": partial(DaskRunner, one),
        "two workers": partial(DaskRunner, two),
        "a cluster of its own, two workers": partial(DaskRunner, max_workers=2),
        "ParallelRunner, two processes": partial(ParallelRunner, max_workers=2),
    }

    def measure(runner: Callable[[], AbstractRunner]) -> tuple[float, float]:
        return seconds(runner(), nothing, 1), seconds(runner(), nothing, NODES + 1)

    results = in_turn([partial(measure, runner) for runner in runners.values()], RUNS)
    for name, times in zip(runners, results, strict=True):
        few, many = map(statistics.median, zip(*times, strict=True))
        print(f"{name}: {few:.2f} s for one node, {1000 * (many - few) / NODES:.1f} ms a node more")


def measure_counts(address: str) -> None:
    """Print what simulated candidates cost, from few to many, on two workers."""
    took = {count: seconds(DaskRunner(address), simulate, count) for count in COUNTS}
    for count, each in took.items():
        print(f"{count} candidates of {SECONDS} s on two workers: {each:.2f} s")
    few, many = (took[count] / count for count in (min(COUNTS), max(COUNTS)))
    print(f"each of {max(COUNTS)} costs {many / few:.2f} times as much as each of {min(COUNTS)}")


def measure_search() -> None:
    """Print how long `kedro run --pipelines=tuning` takes on one worker and on two, in turn."""
    with TemporaryDirectory() as folder:
        project = copy_project(Path(folder))
        (project / "conf" / "local" / "parameters.yml").write_text(SEARCH)
        source = f"--params=data_ingestion.source={DATA.resolve()},tracking.enabled=false"
        run((*KEDRO, "run", "--pipelines=data_ingestion,data_split", source), project)
        results = in_turn([partial(search_alone, project, workers) for workers in (1, 2)], RUNS)
    speeds = []
    for workers, times in enumerate(results, start=1):
        took, epochs = map(statistics.median, zip(*times, strict=True))
        speeds.append(statistics.median(count / each for each, count in times))
        print(f"a search with {workers} of the workers: {took:.1f} s, {epochs:.0f} epochs")
    print(f"epochs a second with two workers, of one: {speeds[1] / speeds[0]:.2f}")


def search_alone(project: Path, workers: int) -> tuple[float, int]:
    """Search anew on a cluster beside which there is none, whose workers have imported all."""
    with start_cluster(workers) as started:
        address = started.scheduler_address
        search(project, address, workers, ",tuning.trials=2,tuning.epochs=1")
        return search(project, address, workers)


def search(project: Path, address: str, workers: int, more: str = "") -> tuple[float, int]:
    """Search anew; return the seconds of the whole command, and how many epochs were trained.

    Pruning depends on which trials have ended, so the number of epochs differs a little.
    """
    storage = f"sqlite:///{project / uuid4().hex}.db"
    parameters = f"tracking.enabled=false,tuning.workers={workers},tuning.storage={storage}{more}"
    runner = ("--runner=mnist_kedro.runners.DaskRunner", f"--runner-params=address={address}")
    command = (*KEDRO, "run", "--pipelines=tuning", *runner, f"--params={parameters}")
    took = run_timed(command, project)["seconds"]
    (study,) = optuna.get_all_study_summaries(storage)
    found = optuna.load_study(study_name=study.study_name, storage=storage).trials
    return took, sum(len(trial.intermediate_values) for trial in found)


def main() -> None:
    """Measure and print."""
    sys.stdout.reconfigure(line_buffering=True)
    os.environ["DASK_LOGGING__DISTRIBUTED"] = "warning"
    configure_project("mnist_kedro")
    logging.disable(logging.INFO)
    whole_files.register()
    # Workers that stay, as those of a running scheduler do.
    with start_cluster(1) as one, start_cluster(2) as two:
        addresses = one.scheduler_address, two.scheduler_address
        measure_nodes(*addresses)
        measure_counts(addresses[1])
    measure_search()


if __name__ == "__main__":
    main()
