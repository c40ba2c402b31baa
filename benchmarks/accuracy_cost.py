"""CPU seconds of training until a test accuracy is reached, against PyTorch's well-known example.

The peer is the network and the recipe of `mnist/main.py` in `pytorch/examples` (Adadelta at 1.0,
falling by 0.7 an epoch, batches of 64), on tensors in memory, so that loading does not slow it
down. It is looked at often, at no cost, and done when it first reads enough test images. Ours
counts as a whole, `Deskew` included, and has settings of its own for each level, found on
validation images (`docs/experiments.md` has what was tried). Each process uses one thread, because
a second one counts while it waits; two processes run at a time; which side comes first alternates.

Usage: `python -m benchmarks.accuracy_cost FOLDER SEED`; prints what `run_both` returns as JSON.
"""

from __future__ import annotations

import copy
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from torch.nn.functional import nll_loss

from benchmarks.commands import PROJECT, run
from benchmarks.data import load_mnist
from benchmarks.measure import Row, announce
from benchmarks.training import default_candidate
from mnist_kedro.classifiers.fit import fit_classifier

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Arrays = list[NDArray[np.uint8]]  # train images and labels, test images and labels

PEER = "PyTorch example"
PEER_EPOCHS = 14
LOOK_AFTER = 2_000  # images, while it learns quickly
LOOK_LATER = 8_000  # from this accuracy on
QUICKLY = 0.98
GOALS = {0.99: "<= 1/30"}
AT_A_TIME = 2
SMALL = {"kernel_size": 3, "batch_norm": True, "hidden_units": []}
# By level: how many images to fit, and what is changed in the default run's `cnn`.
SETTINGS = {
    0.97: (5_000, {"network_options": {"channels": [8, 16, 32], **SMALL}, "batch_size": 32}),
    0.98: (8_000, {"network_options": {"channels": [16, 32, 64], **SMALL}, "batch_size": 64}),
    0.99: (25_000, {"network_options": {"channels": [16, 32, 64], **SMALL}, "batch_size": 64}),
}
LEVELS = list(SETTINGS)
QUICK = {"epochs": 1, "learning_rate": 0.01, "label_smoothing": 0.05, "augmentation": None}


class Example(nn.Sequential):
    """The example's network."""

    def __init__(self) -> None:
        super().__init__(
            *(nn.Unflatten(1, (1, 28)), nn.Conv2d(1, 32, 3), nn.ReLU()),
            *(nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.25), nn.Flatten()),
            *(nn.Linear(9216, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 10)),
            nn.LogSoftmax(dim=1),
        )


def measure_group(folder: Path, runs: int) -> tuple[list[Row], list[str]]:
    """Return the rows, and a note with the accuracies.

    Raises:
        ValueError: Our fits do not reach their levels.
    """
    announce("CPU seconds to an accuracy (ten minutes)", PEER)
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        found = list(pool.map(lambda seed: run_both(folder, seed), range(runs)))
    ours, accuracies, theirs = (
        list(zip(*(each[key] for each in found), strict=True))
        for key in ("ours", "accuracies", "theirs")
    )
    medians = list(map(median, accuracies))
    if any(accuracy < level for accuracy, level in zip(medians, LEVELS, strict=True)):
        raise ValueError(
            f"expected our fits to reach {LEVELS} in the median, found {medians}: give SETTINGS "
            f"more images or epochs"
        )
    rows = []
    for level, our, their in zip(LEVELS, ours, theirs, strict=True):
        name = f"train to {level:.0%} on the test images, CPU"
        rows.append(Row.of(name, PEER, our, their, GOALS.get(level, ""), "s"))
    reached = ", ".join(f"{accuracy:.2%}" for accuracy in medians)
    return rows, [f"Test accuracies of our fits, in the median: {reached}"]


def run_both(folder: Path, seed: int) -> dict[str, Any]:
    """Train both sides in a process.

    Returns:
        `ours` and `accuracies`, CPU seconds and test accuracies of our fits, one a level;
        `theirs`, CPU seconds to each level that the peer reached.
    """
    command = ("-m", "benchmarks.accuracy_cost", str(folder.resolve()), str(seed))
    found: dict[str, Any] = json.loads(run((sys.executable, *command), PROJECT))
    return found


def fit_ours(arrays: Arrays, seed: int) -> dict[str, Any]:
    """Fit anew for each level."""
    images, labels, test_images, test_labels = arrays
    seconds, accuracies = [], []
    for n, changes in SETTINGS.values():
        candidate = default_candidate("cnn", **QUICK, **changes)
        classifier, history = fit_classifier(candidate, seed, (images[:n], labels[:n]))
        seconds.append(float(history["cpu_seconds"].iloc[-1]))
        accuracies.append(float(np.mean(classifier.predict(test_images) == test_labels)))
    return {"ours": seconds, "accuracies": accuracies}


def fit_example(arrays: Arrays, seed: int) -> dict[str, Any]:
    """Train the peer up to the last level.

    Raises:
        ValueError: It has not reached that after its last epoch.
    """
    torch.manual_seed(seed)
    seconds: list[float] = []
    for spent, accuracy in train_example(arrays):
        seconds += [spent for level in LEVELS[len(seconds) :] if accuracy >= level]
        if len(seconds) == len(LEVELS):
            return {"theirs": seconds}
    raise ValueError(f"expected {PEER} to reach {LEVELS}, found {accuracy:.2%} after all epochs")


def train_example(arrays: Arrays) -> Iterator[tuple[float, float]]:
    """Yield the CPU seconds of training so far and the test accuracy, at each look."""
    images, test_images = (normalised(images) for images in arrays[::2])
    labels, test_labels = (torch.from_numpy(labels.astype(np.int64)) for labels in arrays[1::2])
    network = Example()
    optimizer = torch.optim.Adadelta(network.parameters(), lr=1.0)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.7)
    spent = accuracy = 0.0
    unseen = 0  # images since the last look
    for _ in range(PEER_EPOCHS):
        for batch in torch.randperm(len(images)).split(64):
            start = time.process_time()
            network.train()
            optimizer.zero_grad()
            nll_loss(network(images[batch]), labels[batch]).backward()
            optimizer.step()
            spent += time.process_time() - start
            unseen += len(batch)
            if unseen >= (LOOK_AFTER if accuracy < QUICKLY else LOOK_LATER):
                unseen, accuracy = 0, accuracy_of(network, test_images, test_labels)
                yield spent, accuracy
        schedule.step()
    yield spent, accuracy_of(network, test_images, test_labels)


def normalised(images: NDArray[np.uint8]) -> torch.Tensor:
    """Return images as the example has them: mean 0 and standard deviation 1 over all pixels."""
    return (torch.from_numpy(images).float() / 255 - 0.1307) / 0.3081


@torch.inference_mode()
def accuracy_of(network: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    """Return the share of images that the network reads."""
    # A copy that is quick at this; what it takes is not counted.
    network = copy.deepcopy(network).eval().to(memory_format=torch.channels_last)
    answers = torch.cat([network(batch) for batch in images.split(100)])
    return (answers.argmax(dim=1) == labels).float().mean().item()


def main(folder: Path, seed: int) -> None:
    """Train both sides, and print what they took."""
    torch.set_num_threads(1)
    arrays = [array.copy() for array in load_mnist(folder)]
    sides = [fit_ours, fit_example]
    results = [side(arrays, seed) for side in (sides if seed % 2 else reversed(sides))]
    print(json.dumps(results[0] | results[1]))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
