"""Fit one candidate and score it on the validation images."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from mnist_kedro.classifiers.build import Candidate
from mnist_kedro.classifiers.classifier import Classifier, Labelled
from mnist_kedro.classifiers.fit import fit_classifier
from mnist_kedro.lazy import pd
from mnist_kedro.metrics import score_classifier
from mnist_kedro.parameters import Parameters
from mnist_kedro.sources import data_sha256


class ModelTrainingParameters(Parameters):
    """What all candidates share."""

    seed: int = Field(ge=0)


def fit_candidate(
    train_images: NDArray[np.uint8],
    train_labels: NDArray[np.uint8],
    splits: pd.DataFrame,
    dataset_profile: dict[str, Any],
    candidate: Candidate,
    parameters: ModelTrainingParameters,
) -> tuple[Classifier, pd.DataFrame]:
    """Fit a candidate on the images of the split `train`.

    Args:
        train_images: `uint8 (n, 28, 28)`.
        train_labels: `uint8 (n,)`.
        splits: Rows of `index`, `label`, `split`.
        dataset_profile: With the `data_sha256` of these images and labels.
        candidate: Its settings.
        parameters: The seed.

    Returns:
        The fitted classifier and its history, as `fit_classifier` has it.

    Raises:
        ValueError: Images, splits and profile do not belong together.
    """
    _check_data(train_images, train_labels, dataset_profile)
    train = _take("train", train_images, train_labels, splits)
    validation = _take("validation", train_images, train_labels, splits)
    return fit_classifier(candidate, parameters.seed, train, validation)


def score_candidate(
    model: Classifier,
    history: pd.DataFrame,
    train_images: NDArray[np.uint8],
    train_labels: NDArray[np.uint8],
    splits: pd.DataFrame,
    dataset_profile: dict[str, Any],
    candidate: Candidate,
    parameters: ModelTrainingParameters,
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Score a fitted candidate on the images of the split `validation`.

    Returns:
        Its metrics: those of `score_classifier`, `fit_seconds`, and what they rest on (`settings`,
        `data`, `data_sha256`); and its predictions, a row per image: `index`, `label`,
        `prediction`, `confidence`.

    Raises:
        ValueError: Images, splits and profile do not belong together.
    """
    _check_data(train_images, train_labels, dataset_profile)
    scores, predictions = score_classifier(
        model, *_take("validation", train_images, train_labels, splits), "validation"
    )
    predictions.insert(0, "index", splits.query("split == 'validation'")["index"].to_numpy())
    metrics = {
        **scores,
        "fit_seconds": float(history["seconds"].iloc[-1]),
        "settings": candidate.model_dump() | {"seed": parameters.seed},
        "data": dataset_profile["name"],
        "data_sha256": dataset_profile["data_sha256"],
    }
    return metrics, predictions


def _check_data(
    images: NDArray[np.uint8], labels: NDArray[np.uint8], dataset_profile: dict[str, Any]
) -> None:
    found = data_sha256(images, labels)
    if found != dataset_profile["data_sha256"]:
        raise ValueError(
            f"expected the training data that 'dataset_profile' describes, with the sha256 "
            f"{dataset_profile['data_sha256']}, found {found}: run `kedro run "
            f"--pipelines=data_ingestion`, or load matching versions of both"
        )


def _take(
    split: str, images: NDArray[np.uint8], labels: NDArray[np.uint8], splits: pd.DataFrame
) -> Labelled:
    """Return the images and labels of one split."""
    rows = splits[splits["split"] == split]
    index = rows["index"].to_numpy()
    if index.max() >= len(labels) or not np.array_equal(labels[index], rows["label"]):
        raise ValueError(
            "expected 'splits' to be made from these training labels, found other labels in it: "
            "run `kedro run --pipelines=data_split`"
        )
    return images[index], labels[index]
