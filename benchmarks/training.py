"""One epoch of `mlp_128` on all training images, against three others that train the same network.

The settings are those of `conf/base/parameters_model_training.yml`.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from skorch import NeuralNetClassifier

from benchmarks.bare_script import fit_network, flatten_and_scale, mlp
from benchmarks.measure import Row, check_accuracy, compare
from mnist_kedro.classifiers import TorchClassifier
from mnist_kedro.sources import load_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    Predict = Callable[[NDArray[np.uint8]], NDArray[Any]]  # images to labels

UNITS, BATCH_SIZE, LEARNING_RATE, WEIGHT_DECAY = 128, 128, 0.01, 0.3
SAME_ARITHMETIC = 0.015  # by which the bare loop's accuracy may differ from ours
SAME_NETWORK = 0.05  # the same for the others, whose learning rate follows no cycle


class OneEpoch:
    """The four sides; each method trains anew, from data in memory as that side wants it."""

    def __init__(self, folder: Path) -> None:
        self.images, self.labels, self.test_images, self.test_labels = (
            array.copy() for array in load_folder(folder)
        )
        self.features = flatten_and_scale(self.images)
        self.targets = self.labels.astype(np.int64)

    def ours(self) -> Predict:
        """Train with the project's classifier, on `uint8`."""
        classifier = TorchClassifier(
            network="mlp",
            network_options={"hidden_units": [UNITS]},
            epochs=1,
            batch_size=BATCH_SIZE,
            learning_rate=LEARNING_RATE,
            weight_decay=WEIGHT_DECAY,
        )
        return classifier.fit(self.images, self.labels).predict

    def bare_loop(self) -> Predict:
        """Train with a loop that does the same arithmetic and nothing else, on `uint8`."""
        return fit_network(
            mlp(UNITS),
            self.images,
            self.labels,
            epochs=1,
            batch_size=BATCH_SIZE,
            learning_rate=LEARNING_RATE,
        )

    def skorch(self) -> Predict:
        """Train with skorch as its users do, without validation and output, on `float32`."""
        classifier = NeuralNetClassifier(
            mlp(UNITS),
            criterion=torch.nn.CrossEntropyLoss,
            optimizer=torch.optim.AdamW,
            optimizer__weight_decay=WEIGHT_DECAY,
            lr=LEARNING_RATE,
            batch_size=BATCH_SIZE,
            max_epochs=1,
            iterator_train__shuffle=True,
            train_split=None,
            verbose=0,
        )
        classifier.fit(self.features, self.targets)
        return lambda images: classifier.predict(flatten_and_scale(images))

    def scikit_learn(self) -> Predict:
        """Train with scikit-learn, whose Adam decays no weights, on `float32`."""
        classifier = MLPClassifier((UNITS,), solver="adam", batch_size=BATCH_SIZE, max_iter=1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # one epoch is what we want
            classifier.fit(self.features, self.labels)
        return lambda images: classifier.predict(flatten_and_scale(images))

    def accuracy(self, side: Callable[[], Predict]) -> float:
        """Return the share of test images that a side reads right after one epoch."""
        return float(np.mean(side()(self.test_images) == self.test_labels))


def epoch_rows(folder: Path) -> tuple[list[Row], str]:
    """Return the rows, and a note with the accuracies."""
    epoch = OneEpoch(folder)
    peers = [
        ("bare PyTorch loop", epoch.bare_loop, "<= 1.15", SAME_ARITHMETIC),
        ("skorch", epoch.skorch, "<= 0.5", SAME_NETWORK),
        ("scikit-learn MLPClassifier", epoch.scikit_learn, "", SAME_NETWORK),
    ]
    ours = epoch.accuracy(epoch.ours)
    rows, accuracies = [], [f"ours {ours:.2%}"]
    for peer, side, goal, tolerance in peers:
        theirs = epoch.accuracy(side)
        check_accuracy(f"one epoch ({peer})", ours, theirs, tolerance)
        accuracies.append(f"{peer} {theirs:.2%}")
        rows.append(compare("one epoch of mlp_128", peer, epoch.ours, side, goal))
    return rows, f"Test accuracy after one epoch: {', '.join(accuracies)}"
