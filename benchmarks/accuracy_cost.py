"""CPU seconds of training until a test accuracy is reached, against PyTorch's well-known example.

The peer is the network and the recipe of `mnist/main.py` in `pytorch/examples` (Adadelta at 1.0,
falling by 0.7 an epoch, batches of 64, 14 epochs), on tensors in memory, so that loading does not
slow it down. It is looked at seven times an epoch, at no cost, and done when it first reads enough
test images. Ours counts as a whole, with settings found on validation images. Each process uses one
thread, because a second one counts while it waits, and two run at a time.

Usage: `python -m benchmarks.accuracy_cost FOLDER SEED EPOCHS`; prints both sides as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from torch.nn.functional import nll_loss

from benchmarks.commands import PROJECT, run
from benchmarks.measure import Row, announce
from benchmarks.training import candidate_classifier
from mnist_kedro.sources import load_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Arrays = list[NDArray[np.uint8]]  # train images and labels, test images and labels

PEER = "PyTorch example"
PEER_EPOCHS = 14
LOOKS = 7  # an epoch
LEVELS = (0.97, 0.98, 0.99, 0.995)
GOALS = {0.99: "<= 1/30"}
AT_A_TIME = 2


def small_cnn(*channels: int, batch_size: int) -> dict[str, Any]:
    """Return how the default `cnn` is changed to one that is trained quickly."""
    options = {"channels": channels, "kernel_size": 3, "batch_norm": True, "hidden_units": []}
    return {
        "network_options": options,
        "epochs": 1,
        "batch_size": batch_size,
        "learning_rate": 0.01,
        "label_smoothing": 0.05,
        "augmentation": None,
    }


# By level: how many images to fit, and what is changed in the default run's `cnn`.
SETTINGS = {
    0.97: (10_000, small_cnn(8, 16, 32, batch_size=32)),
    0.98: (15_000, small_cnn(16, 32, 64, batch_size=64)),
    0.99: (45_000, small_cnn(16, 32, 64, batch_size=64)),
    0.995: (60_000, {}),
}


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
    """Return the rows, and a note with the accuracies."""
    announce("CPU seconds to an accuracy (20 minutes)", PEER)
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        found = list(pool.map(lambda seed: run_both(folder, seed), range(runs)))
    rows = [
        Row.of(
            f"train to {level:.1%} on the test images, CPU",
            PEER if level < LEVELS[-1] else f"{PEER}, all {PEER_EPOCHS} epochs",
            [ours["seconds"][place] for ours, _ in found],
            [theirs["seconds"][place] for _, theirs in found if place < len(theirs["seconds"])],
            GOALS.get(level, ""),
            "s",
        )
        for place, level in enumerate(LEVELS)
    ]
    lowest = (min(ours["accuracies"][place] for ours, _ in found) for place in range(len(LEVELS)))
    best = found[0][1]["best"]
    accuracies = ", ".join(f"{accuracy:.2%}" for accuracy in lowest)
    return rows, [
        f"Lowest test accuracies of our fits: {accuracies}; best of the {PEER}: {best:.2%}"
    ]


def run_both(folder: Path, seed: int) -> list[dict[str, Any]]:
    """Train both sides in a process; the peer of one seed is to reach all levels, if it can."""
    wanted = LEVELS[-2] if seed else LEVELS[-1]
    command = ("-m", "benchmarks.accuracy_cost", str(folder.resolve()), str(seed), str(wanted))
    found: list[dict[str, Any]] = json.loads(run((sys.executable, *command), PROJECT))
    return found


def ours(arrays: Arrays, seed: int) -> dict[str, Any]:
    """Return CPU seconds and test accuracies of our fits, one a level.

    Raises:
        ValueError: One of them does not reach its level.
    """
    images, labels, test_images, test_labels = arrays
    seconds, accuracies = [], []
    for level, (n, changes) in SETTINGS.items():
        classifier = candidate_classifier("cnn", random_state=seed, **changes)
        start = time.process_time()
        classifier.fit(images[:n], labels[:n])
        seconds.append(time.process_time() - start)
        accuracies.append(classifier.score(test_images, test_labels))
        if accuracies[-1] < level:
            raise ValueError(f"expected at least {level:.1%} with seed {seed}, found {accuracies}")
    return {"seconds": seconds, "accuracies": accuracies}


def theirs(arrays: Arrays, seed: int, wanted: float) -> dict[str, Any]:
    """Return CPU seconds to the levels up to the wanted one, or of all epochs; best accuracy."""
    torch.manual_seed(seed)
    seconds: list[float] = []
    best = 0.0
    for spent, accuracy in train_example(arrays):
        best = max(best, accuracy)
        seconds += [spent for level in LEVELS[len(seconds) :] if accuracy >= level]
        if best >= wanted:
            break
    else:
        seconds.append(spent)
    return {"seconds": seconds, "best": best}


def train_example(arrays: Arrays) -> Iterator[tuple[float, float]]:
    """Yield the CPU seconds of training so far and the test accuracy."""
    images, test_images = (normalised(images) for images in arrays[::2])
    labels, test_labels = (torch.from_numpy(labels.astype(np.int64)) for labels in arrays[1::2])
    network = Example()
    optimizer = torch.optim.Adadelta(network.parameters(), lr=1.0)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.7)
    spent = 0.0
    for _ in range(PEER_EPOCHS):
        order = torch.randperm(len(images))
        for part in order.chunk(LOOKS):
            start = time.process_time()
            network.train()
            for batch in part.split(64):
                optimizer.zero_grad()
                nll_loss(network(images[batch]), labels[batch]).backward()
                optimizer.step()
            spent += time.process_time() - start
            yield spent, accuracy_of(network, test_images, test_labels)
        schedule.step()


def normalised(images: NDArray[np.uint8]) -> torch.Tensor:
    """Return images as the example has them: mean 0 and standard deviation 1 over all pixels."""
    return (torch.from_numpy(images).float() / 255 - 0.1307) / 0.3081


@torch.inference_mode()
def accuracy_of(network: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    """Return the share of images that the network reads."""
    network.eval()
    answers = torch.cat([network(batch) for batch in images.split(1000)])
    return (answers.argmax(dim=1) == labels).float().mean().item()


if __name__ == "__main__":
    torch.set_num_threads(1)
    files = [array.copy() for array in load_folder(Path(sys.argv[1]))]
    number = int(sys.argv[2])
    print(json.dumps([ours(files, number), theirs(files, number, float(sys.argv[3]))]))
