"""Fitting `mlp_128` to 6 million images in a mapped file, against as many steps on 60,000.

Both files have just been written, and are read from the system's cache where that is large enough.
Both sides run in processes of their own, because the peak memory of a process never falls.

Usage: `python -m benchmarks.large_file IMAGES LABELS EPOCHS`, two raw IDX files; prints the
seconds of fitting.
"""

from __future__ import annotations

import sys
import time
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.commands import PROJECT, run_timed
from benchmarks.data import load_mnist
from benchmarks.measure import Row, announce, in_turn
from benchmarks.training import candidate_classifier
from mnist_kedro.data.dataset_spec import FILES
from mnist_kedro.formats.idx import idx_header, read_idx

COPIES = 100  # of the 60,000 images
RUNS = 3  # of each side, which take a minute
PEER = f"{COPIES} epochs of 60,000 in a file"
NAME = f"one epoch of mlp_128, {COPIES * 60_000:,} images in a file"


def measure_group(folder: Path, runs: int) -> tuple[list[Row], list[str]]:
    """Return the rows of time and of memory."""
    announce(NAME, PEER)
    with TemporaryDirectory() as temporary:
        sides = [
            partial(
                run_fit,
                write_copies(folder, Path(temporary, str(copies)), copies),
                COPIES // copies,
            )
            for copies in (COPIES, 1)
        ]
        ours, theirs = in_turn(sides, min(runs, RUNS))
    our_seconds, our_peaks = zip(*ours, strict=True)
    their_seconds, their_peaks = zip(*theirs, strict=True)
    rows = [
        Row.of(NAME, PEER, our_seconds, their_seconds, "<= 1.1", "s"),
        Row.of(
            f"{NAME}, peak memory", PEER, our_peaks, their_peaks, "ours <= theirs + 300 MB", "MB"
        ),
    ]
    return rows, []


def write_copies(folder: Path, target: Path, copies: int) -> tuple[Path, Path]:
    """Write raw IDX files with so many copies of the training data into a new folder.

    Returns:
        Their paths, named as MNIST's.
    """
    target.mkdir()
    images, labels, _, _ = load_mnist(folder)
    paths = target / FILES["train_images"], target / FILES["train_labels"]
    for path, array in zip(paths, (images, labels), strict=True):
        with path.open("wb") as file:
            file.write(idx_header((copies * len(array), *array.shape[1:])))
            for _ in range(copies):
                file.write(array.data)
    return paths


def run_fit(paths: tuple[Path, Path], epochs: int) -> tuple[float, float]:
    """Fit in a process of its own; return the seconds of fitting and the peak in megabytes."""
    command = (sys.executable, "-m", "benchmarks.large_file", *map(str, paths), str(epochs))
    measured = run_timed(command, PROJECT)
    return float(measured["output"]), measured["megabytes"]


def fit(images_path: Path, labels_path: Path, epochs: int) -> float:
    """Fit to the images of a file; return the seconds."""
    images, labels = read_idx(images_path, (28, 28)), read_idx(labels_path, ())
    classifier = candidate_classifier("mlp_128", epochs=epochs)
    start = time.perf_counter()
    classifier.fit(images, labels)
    return time.perf_counter() - start


if __name__ == "__main__":
    print(fit(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])))
