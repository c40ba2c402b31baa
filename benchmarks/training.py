"""One epoch of `mlp_128` and of `cnn`, against others that train the same network.

The settings are those of `conf/base`, but for `Deskew` and the augmentation, which the others do
not have; nor do they smooth the labels, which costs next to nothing. Ours and the bare loop take
the threads that it says, channels-last and a fused AdamW; the others all threads and none of these,
as their users do.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from skorch import NeuralNetClassifier
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.bare_script import (
    build_network,
    fit_network,
    flatten_and_scale,
    predict_with_network,
)
from benchmarks.data import load_mnist, read_parameters
from benchmarks.measure import SHORT_RUNS, Row, check_accuracy, compare
from mnist_kedro.classifiers.build import Candidate, build_classifier

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from mnist_kedro.classifiers import TorchClassifier

    Predict = Callable[[NDArray[np.uint8]], NDArray[Any]]  # images to labels

SAMPLE = 10_000  # images of an epoch of `cnn`, which takes long
SAME_ARITHMETIC = 0.015  # by which the bare loop's accuracy may differ from ours
SAME_NETWORK = 0.05  # the same for the others, whose learning rate follows no cycle


def default_candidate(name: str, **changes: object) -> Candidate:
    """Return a candidate of the default run, with these hyperparameters changed."""
    settings = read_parameters()["candidates"][name]
    settings["hyperparameters"] |= changes
    return Candidate.model_validate(settings)


class OneEpoch:
    """The sides; each method trains anew, from data in memory as that side wants it."""

    def __init__(self, name: str, folder: Path, n: int | None = None) -> None:
        images, labels, self.test_images, self.test_labels = (
            array.copy() for array in load_mnist(folder)
        )
        self.images, self.labels = images[:n], labels[:n]
        self.features = self.images.astype(np.float32) / np.float32(255)
        self.targets = self.labels.astype(np.int64)
        candidate = default_candidate(name, epochs=1, augmentation=None)
        self.settings = candidate.hyperparameters
        without = candidate.model_copy(update={"transformers": []})
        self.classifier: TorchClassifier = build_classifier(without, seed=0)

    def build(self) -> torch.nn.Module:
        """Build the network."""
        return build_network(self.settings["network"], self.settings["network_options"])

    def ours(self) -> Predict:
        """Train with the project's classifier, on `uint8`."""
        return clone(self.classifier).fit(self.images, self.labels).predict

    def bare_loop(self) -> Predict:
        """Train with a loop that does the same arithmetic and nothing else, on `uint8`."""
        return fit_network(self.images, self.labels, **self.settings)

    def data_loader(self) -> Predict:
        """Train with PyTorch's `DataLoader` and the loop of its tutorials, on `float32`."""
        network = self.build()
        data = TensorDataset(torch.from_numpy(self.features), torch.from_numpy(self.targets))
        loader = DataLoader(data, batch_size=self.classifier.batch_size, shuffle=True)
        optimizer = torch.optim.AdamW(
            network.parameters(), weight_decay=self.classifier.weight_decay
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, self.classifier.learning_rate, len(loader)
        )
        network.train()
        for inputs, targets in loader:
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(network(inputs), targets).backward()
            optimizer.step()
            schedule.step()
        return lambda images: predict_with_network(network, images)

    def skorch(self) -> Predict:
        """Train with skorch as its users do, without validation and output, on `float32`."""
        classifier = NeuralNetClassifier(
            self.build(),
            criterion=torch.nn.CrossEntropyLoss,
            optimizer=torch.optim.AdamW,
            optimizer__weight_decay=self.classifier.weight_decay,
            lr=self.classifier.learning_rate,
            batch_size=self.classifier.batch_size,
            max_epochs=1,
            iterator_train__shuffle=True,
            train_split=None,
            verbose=0,
        )
        classifier.fit(self.features, self.targets)
        return lambda images: classifier.predict(images.astype(np.float32) / np.float32(255))

    def scikit_learn(self) -> Predict:
        """Train with scikit-learn, whose Adam decays no weights, on `float32`."""
        (units,) = self.classifier.network_options["hidden_units"]
        classifier = MLPClassifier(
            (units,), batch_size=self.classifier.batch_size, max_iter=1, alpha=0
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # one epoch is what we want
            classifier.fit(self.features.reshape(len(self.features), -1), self.labels)
        return lambda images: classifier.predict(flatten_and_scale(images))

    def accuracy(self, side: Callable[[], Predict]) -> float:
        """Return the share of test images that a side reads right after one epoch."""
        torch.manual_seed(0)
        return float(np.mean(side()(self.test_images) == self.test_labels))


def measure_group(folder: Path, runs: int) -> tuple[list[Row], list[str]]:
    """Return the rows of both networks, and notes with the accuracies."""
    small, large = OneEpoch("mlp_128", folder), OneEpoch("cnn", folder, SAMPLE)
    scikit_learn = {"scikit-learn MLPClassifier": (small.scikit_learn, "")}
    rows, note = compare_epochs("one epoch of mlp_128", small, SHORT_RUNS, scikit_learn)
    name = f"one epoch of cnn, {SAMPLE:,} images"
    more_rows, another_note = compare_epochs(name, large, runs)
    return [*rows, *more_rows], [note, another_note]


def compare_epochs(
    name: str,
    epoch: OneEpoch,
    runs: int,
    more: dict[str, tuple[Callable[[], Predict], str]] | None = None,
) -> tuple[list[Row], str]:
    """Return the rows of one network, once it is sure that all sides learn it equally well."""
    peers = {
        "bare PyTorch loop": (epoch.bare_loop, "<= 1.05"),
        "PyTorch DataLoader": (epoch.data_loader, ""),
        "skorch": (epoch.skorch, "<= 0.5"),
    } | (more or {})
    ours = epoch.accuracy(epoch.ours)
    accuracies = [f"ours {ours:.2%}"]
    for peer, (side, _) in peers.items():
        theirs = epoch.accuracy(side)
        tolerance = SAME_ARITHMETIC if side == epoch.bare_loop else SAME_NETWORK
        check_accuracy(f"{name} ({peer})", ours, theirs, tolerance)
        accuracies.append(f"{peer} {theirs:.2%}")
    rows = compare(name, epoch.ours, peers, runs=runs)
    return rows, f"Test accuracy after {name}: {', '.join(accuracies)}"
