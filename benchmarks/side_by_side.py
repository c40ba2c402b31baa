"""`python -m benchmarks.side_by_side`: what it costs to send nodes to workers, and what it gives.

Its figures are in docs/scaling.md. Not part of `python -m benchmarks`: two cores must be free.
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from kedro.framework.project import configure_project
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline, node
from kedro.runner import ParallelRunner, SequentialRunner

from mnist_kedro import whole_files
from mnist_kedro.runners import DaskRunner

if TYPE_CHECKING:
    from collections.abc import Callable

    from distributed import LocalCluster
    from kedro.runner import AbstractRunner

RUNS = 3
NODES = 50  # of no work, to measure what a node costs
COUNTS = (6, 25, 50, 100, 200)  # of simulated candidates
SECONDS = 0.5  # each of them takes
FITS = 8  # real ones, all alike
EPOCHS = 40


def nothing() -> int:
    """Take no time."""
    return 0


def simulate() -> int:
    """Take a known time, and no CPU."""
    time.sleep(SECONDS)
    return 0


def fit() -> float:
    """Fit a perceptron on the embedded digits; return its loss."""
    from mnist_kedro.classifiers.build import Candidate
    from mnist_kedro.classifiers.fit import fit_classifier
    from mnist_kedro.sources import embedded_digits

    arrays = embedded_digits()
    settings = {"network_options": {"hidden_units": [256, 256]}, "epochs": EPOCHS}
    candidate = Candidate(
        estimator="mnist_kedro.classifiers.TorchClassifier", hyperparameters=settings
    )
    _, history = fit_classifier(candidate, 0, (arrays.train_images, arrays.train_labels))
    return float(history["loss"].iloc[-1])


def seconds(runner: AbstractRunner, work: Callable[[], object], count: int) -> float:
    """Return how long a runner takes for so many independent nodes, each with a saved output."""
    with TemporaryDirectory() as folder:
        names = [f"output_{number}" for number in range(count)]
        config = {
            name: {"type": "json.JSONDataset", "filepath": str(Path(folder, name))}
            for name in names
        }
        catalog = DataCatalog.from_config(config)
        pipeline = Pipeline([node(work, None, name, name=f"node_{name}") for name in names])
        start = time.perf_counter()
        runner.run(pipeline, catalog)
        return time.perf_counter() - start


def cluster(workers: int) -> LocalCluster:
    """Start workers that stay, as those of a running scheduler do."""
    from distributed import LocalCluster

    return LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        resources={"threads": 1},
        dashboard_address="127.0.0.1:0",
        memory_limit=None,
    )


def main() -> None:
    """Measure and print."""
    configure_project("mnist_kedro")
    whole_files.register()
    with cluster(1) as one, cluster(2) as two:
        runners = {
            "one worker": lambda: DaskRunner(one.scheduler_address),
            "two workers": lambda: DaskRunner(two.scheduler_address),
            "a cluster of its own, two workers": lambda: DaskRunner(max_workers=2),
            "ParallelRunner, two processes": lambda: ParallelRunner(max_workers=2),
            "SequentialRunner": SequentialRunner,
        }
        for name in ("one worker", "two workers"):
            seconds(runners[name](), fit, 4)  # so that all is imported
        for name, runner in runners.items():
            few, many = (
                statistics.median(seconds(runner(), nothing, count) for _ in range(RUNS))
                for count in (1, NODES + 1)
            )
            print(f"{name}: {few:.2f} s for one node, {1000 * (many - few) / NODES:.1f} ms a node")
        for count in COUNTS:
            took = seconds(runners["two workers"](), simulate, count)
            print(f"{count} candidates of {SECONDS} s on two workers: {took:.2f} s", flush=True)
        times: dict[str, list[float]] = {"one worker": [], "two workers": []}
        for _ in range(RUNS):  # in turn
            for name, measured in times.items():
                measured.append(seconds(runners[name](), fit, FITS))
        first, second = (statistics.median(measured) for measured in times.values())
        print(
            f"{FITS} fits: {first:.1f} s on one worker, {second:.1f} s on two: {first / second:.2f}"
        )


if __name__ == "__main__":
    main()
