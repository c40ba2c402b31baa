"""Refit the champion on all training images and score it, once, on the test set."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_kedro.classifiers.build import Candidate
from mnist_kedro.classifiers.classifier import Classifier
from mnist_kedro.classifiers.fit import fit_classifier
from mnist_kedro.lazy import pd
from mnist_kedro.metrics import score_classifier
from mnist_kedro.sources import verify_data


def fit_final_model(
    champion: dict[str, Any],
    train_images: NDArray[np.uint8],
    train_labels: NDArray[np.uint8],
) -> tuple[Classifier, pd.DataFrame]:
    """Fit the champion's settings on all training images.

    Args:
        champion: What `choose_champion` returned.
        train_images: `uint8 (n, 28, 28)`.
        train_labels: `uint8 (n,)`.

    Returns:
        The fitted classifier and its history, as `fit_classifier` has it.

    Raises:
        ValueError: The images are not those on which the champion was chosen.
    """
    verify_data(champion["sha256"], train_images=train_images, train_labels=train_labels)
    settings = dict(champion["settings"])
    seed = settings.pop("seed")
    return fit_classifier(Candidate.model_validate(settings), seed, (train_images, train_labels))


def score_final_model(
    final_model: Classifier,
    final_history: pd.DataFrame,
    champion: dict[str, Any],
    test_images: NDArray[np.uint8],
    test_labels: NDArray[np.uint8],
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Score the final model on the test set, once.

    Args:
        final_model: The fitted classifier.
        final_history: Its history.
        champion: What `choose_champion` returned.
        test_images: `uint8 (n, 28, 28)`.
        test_labels: `uint8 (n,)`.

    Returns:
        The metrics of `score_classifier`, `n_test`, `fit_seconds`, `candidate`, `data` and
        `data_sha256`; and the predictions, a row per test image.

    Raises:
        ValueError: The images are not those that were ingested with the training data.
    """
    verify_data(champion["sha256"], test_images=test_images, test_labels=test_labels)
    scores, predictions = score_classifier(final_model, test_images, test_labels, "test")
    metrics = {
        "candidate": champion["candidate"],
        **scores,
        "n_test": len(test_labels),
        "fit_seconds": float(final_history["seconds"].iloc[-1]),
        "data": champion["data"],
        "data_sha256": champion["data_sha256"],
    }
    return metrics, predictions


def describe_final_model(
    champion: dict[str, Any], final_metrics: dict[str, Any], provenance: dict[str, Any]
) -> dict[str, Any]:
    """Write down everything that is needed to make the final model again.

    Returns:
        `candidate`, `settings` (with the seed), `data`, `data_sha256`, the test accuracy with its
        interval, and `provenance`: versions of all inputs and packages, and the git commit.
    """
    accuracy = {key: final_metrics[key] for key in final_metrics if key.startswith("test_accuracy")}
    copied = ("candidate", "settings", "data", "data_sha256")
    return {key: champion[key] for key in copied} | accuracy | {"provenance": provenance}
