"""Predictions of `cnn`, with `Deskew`: its pickle, against the bare network and ONNX Runtime."""

from __future__ import annotations

import pickle
import time
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.bare_script import predict_with_network
from benchmarks.data import load_mnist
from benchmarks.measure import Row, announce, in_turn
from benchmarks.training import default_candidate
from mnist_kedro.classifiers.build import build_classifier
from mnist_kedro.classifiers.onnx_export import export_to_onnx
from mnist_kedro.formats.onnx_predict import load_onnx

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray
    from sklearn.pipeline import Pipeline

    Images = NDArray[np.uint8]  # (n, 28, 28)
    Predict = Callable[[Images], NDArray[np.integer]]  # images to labels

SAMPLE = 10_000  # images to fit; the speed does not depend on them
SINGLES = 1_000  # predictions of one image, of which each run takes the median
BATCH = 1_000
ONNX_RUNTIME = "ONNX Runtime, one thread"
MEASURES = {  # name: unit, goal of ONNX Runtime
    "predict one image from the pickle, median": ("ms", "theirs <= 0.3 ms"),
    "predict batches of 1,000 from the pickle": ("images/s", ""),
}
FEW = 5  # images of 10,000 that two ways of computing may read differently


def measure_group(folder: Path, runs: int) -> tuple[list[Row], list[str]]:
    """Return the rows of each peer."""
    images, labels, test_images, _ = load_mnist(folder)
    classifier: Pipeline = build_classifier(default_candidate("cnn", epochs=1), seed=0)
    classifier.fit(images[:SAMPLE], labels[:SAMPLE])
    deskew, network = classifier[0].transform, classifier[-1].network_
    sides: dict[str, Predict] = {
        "pickle": pickle.loads(pickle.dumps(classifier)).predict,
        "bare PyTorch network": lambda images: predict_with_network(network, deskew(images)),
        ONNX_RUNTIME: onnx_side(classifier),
    }
    check_same_labels(sides, test_images)
    announce("predictions of cnn", *sides)
    measured = in_turn([partial(measure, side, test_images) for side in sides.values()], runs)
    ours, *theirs = [list(zip(*of_side, strict=True)) for of_side in measured]
    rows = [
        Row.of(name, peer, our, their, goal if peer == ONNX_RUNTIME else "", unit)
        for peer, values in zip(list(sides)[1:], theirs, strict=True)
        for (name, (unit, goal)), our, their in zip(MEASURES.items(), ours, values, strict=True)
    ]
    return rows, []


def onnx_side(classifier: Pipeline) -> Predict:
    """Return the labels' prediction of the classifier's ONNX export."""
    probabilities = load_onnx(export_to_onnx(classifier))
    return lambda images: probabilities(images).argmax(axis=1)


def check_same_labels(sides: dict[str, Predict], images: Images) -> None:
    """Make sure that all sides read the images alike, but for a few.

    Raises:
        ValueError: One of them does not.
    """
    expected = sides["pickle"](images)
    for side, predict in sides.items():
        if (differences := int((predict(images) != expected).sum())) > FEW:
            raise ValueError(
                f"expected {side} to give the labels of the pickle but for {FEW}, found "
                f"{differences} that differ: these cannot be compared"
            )


def measure(predict: Predict, images: Images) -> tuple[float, float]:
    """Return the median milliseconds of one image, and images a second in batches."""
    times = []
    for image in images[:SINGLES]:
        start = time.perf_counter()
        predict(image[None])
        times.append(1000 * (time.perf_counter() - start))
    start = time.perf_counter()
    for first in range(0, len(images), BATCH):
        predict(images[first : first + BATCH])
    seconds = time.perf_counter() - start
    return float(np.median(times)), len(images) / seconds
