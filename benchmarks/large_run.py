"""A whole `kedro run` on 6 million images in 1.5 GB, against as many steps on 60,000.

Each run has two candidates, `mlp_64` and an `IncrementalClassifier`, and a project and a control
group of its own. The images lie on the disk, out of the system's cache, when it starts. It takes
15 GB there, in the folder for temporary files.

Usage: `python -m benchmarks.large_run [--copies 100] [--epochs 1] [--megabytes 1500]`
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from benchmarks.__main__ import DATA
from benchmarks.commands import KEDRO, run_timed
from benchmarks.default_run import copy_project
from benchmarks.large_file import COPIES, write_copies
from benchmarks.memory_limit import memory_limit
from mnist_kedro.data.dataset_spec import FILES

IMAGES = 60_000
MEGABYTES = 1500
INCREMENTAL = {
    "estimator": "mnist_kedro.classifiers.IncrementalClassifier",
    "hyperparameters": {},
}


@dataclass(frozen=True)
class Outcome:
    """What one run took; seconds also for each image and epoch of it, in microseconds."""

    copies: int
    epochs: int
    limited: bool
    seconds: float
    cpu_seconds: float
    megabytes: float  # of the process, with what it holds of mapped files
    fit_seconds: dict[str, float]  # by candidate; `final_model` is the champion on all images
    test_accuracy: float

    def print(self) -> None:
        """Print it."""
        steps = self.copies * IMAGES * self.epochs
        print(
            f"{self.copies * IMAGES:,} images, {self.epochs} epochs: "
            f"peak {self.megabytes:,.0f} MB{'' if self.limited else ' (no limit could be set)'}, "
            f"{self.seconds:,.0f} s, of a processor {self.cpu_seconds:,.0f} s; "
            f"for each image and epoch {1e6 * self.seconds / steps:.1f} µs, "
            f"of a processor {1e6 * self.cpu_seconds / steps:.1f} µs; "
            + ", ".join(f"{k} fitted in {v:,.0f} s" for k, v in self.fit_seconds.items())
            + f"; test accuracy {self.test_accuracy:.2%}",
            flush=True,
        )


def main() -> None:
    """Measure both, and print what came out."""
    parser = argparse.ArgumentParser("python -m benchmarks.large_run", description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA, metavar="FOLDER")
    parser.add_argument("--epochs", type=int, default=1, help="of the larger run")
    parser.add_argument("--copies", type=int, default=COPIES, help="of the 60,000 images")
    parser.add_argument(
        "--megabytes", type=int, default=MEGABYTES, help="of memory, page cache too"
    )
    arguments = parser.parse_args()
    os.environ |= {"CUDA_VISIBLE_DEVICES": "", "DO_NOT_TRACK": "true"}
    large, small = (
        run_project(
            *(arguments.data, copies, arguments.copies // copies * arguments.epochs),
            arguments.megabytes,
        )
        for copies in (arguments.copies, 1)
    )
    print(f"time, large / small: {large.seconds / small.seconds:.2f}", end=", ")
    print(f"of a processor: {large.cpu_seconds / small.cpu_seconds:.2f}")


def run_project(data: Path, copies: int, epochs: int, megabytes: int) -> Outcome:
    """Do a run in a project of its own, within a limit if the system lets us set one."""
    print(f"Running on {copies * IMAGES:,} images ...", file=sys.stderr, flush=True)
    with (
        TemporaryDirectory() as temporary,
        memory_limit(megabytes * 10**6) as limited,
    ):
        source, project = Path(temporary, "source"), Path(temporary, "project")
        project.mkdir()
        for path in write_copies(data, source, copies):
            forget(path)
        for key in ("test_images", "test_labels"):
            shutil.copy(data / f"{FILES[key]}.gz", source)
        keep_candidates(copy_project(project), epochs)
        parameters = f"data_ingestion.source={source},data_split.sample_size=null"
        measured = run_timed((*limited, *KEDRO, "run", "--params", parameters), project)
        outcome = Outcome(
            *(copies, epochs, bool(limited)),
            *(measured[name] for name in ("seconds", "cpu_seconds", "megabytes")),
            *read_results(project / "data" / "08_reporting"),
        )
    outcome.print()
    return outcome


def forget(path: Path) -> None:
    """Write a file to the disk, and let the system drop it from its cache."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def keep_candidates(project: Path, epochs: int) -> None:
    """Leave two candidates in a project, with so many epochs."""
    path = project / "conf" / "base" / "parameters_model_training.yml"
    settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    candidates = {"mlp_64": settings["candidates"]["mlp_64"], "incremental": INCREMENTAL}
    for candidate in candidates.values():
        candidate["hyperparameters"]["epochs"] = epochs
    path.write_text(yaml.safe_dump(settings | {"candidates": candidates}), encoding="utf-8")


def read_results(reporting: Path) -> tuple[dict[str, float], float]:
    """Return the seconds of fitting by candidate, and the test accuracy of the final model."""
    metrics = {
        path.parents[2].name: json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(reporting.glob("*/metrics.json/*/metrics.json"))
    }
    final = json.loads(next(reporting.glob("final_metrics.json/*/*")).read_text(encoding="utf-8"))
    seconds = {name: each["fit_seconds"] for name, each in metrics.items()}
    return seconds | {"final_model": final["fit_seconds"]}, final["test_accuracy"]


if __name__ == "__main__":
    main()
