"""Fit one candidate and score it on the validation images, those of folds too."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from mnist_kedro.classifiers.build import Candidate, Classifier
from mnist_kedro.classifiers.fit import fit_classifier
from mnist_kedro.data.splits import splits_sha256, take_splits
from mnist_kedro.evaluation.metrics import score_classifier, score_predictions
from mnist_kedro.lazy import pd
from mnist_kedro.parameters import Parameters

OF_EACH_FOLD = ("validation_accuracy", "fit_seconds")


class ModelTrainingParameters(Parameters):
    """What all candidates share."""

    seed: int = Field(ge=0)


def train_candidate(
    train_images: NDArray[np.uint8],
    train_labels: NDArray[np.uint8],
    splits: pd.DataFrame,
    dataset_profile: dict[str, Any],
    candidate: Candidate,
    parameters: ModelTrainingParameters,
) -> tuple[Classifier, pd.DataFrame, dict[str, Any], pd.DataFrame]:
    """Fit a candidate on the images of the split `train`, and score it on those of `validation`.

    Args:
        train_images: `uint8 (n, 28, 28)`.
        train_labels: `uint8 (n,)`.
        splits: Rows of `index`, `label`, `split`.
        dataset_profile: With the names and the checksums of the data.
        candidate: Its settings.
        parameters: The seed.

    Returns:
        The fitted classifier and its history, as `fit_classifier` has it; its metrics, those of
        `score_classifier` and what they rest on: `settings` (with the seed), `data` (a name),
        `class_names` (in the order of the labels), `data_sha256`, `sha256` (of each file),
        `splits_sha256`, `fit_seconds`; and its predictions, a row per validation image: `index`,
        `label`, `prediction`, `confidence`.

    Raises:
        ValueError: Images, splits and profile do not belong together.
    """
    train, validation = take_splits(train_images, train_labels, splits, dataset_profile)
    model, history = fit_classifier(candidate, parameters.seed, train, validation)
    scores, predictions = score_classifier(model, *validation, "validation")
    predictions.insert(0, "index", splits.query("split == 'validation'")["index"].to_numpy())
    metrics = scores | {
        "settings": candidate.model_dump() | {"seed": parameters.seed},
        **_describe_data(dataset_profile, splits),
        "fit_seconds": float(history["seconds"].iloc[-1]),
    }
    return model, history, metrics, predictions[["index", "label", "prediction", "confidence"]]


def train_fold(
    train_images: NDArray[np.uint8],
    train_labels: NDArray[np.uint8],
    splits: pd.DataFrame,
    dataset_profile: dict[str, Any],
    candidate: Candidate,
    parameters: ModelTrainingParameters,
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Fit a candidate on all folds but one, and score it on that one; the model is not kept.

    Args and errors are those of `train_candidate`; the metrics and the predictions, too.
    """
    data = (train_images, train_labels, splits, dataset_profile)
    _, _, metrics, predictions = train_candidate(*data, candidate, parameters)
    return metrics, predictions


def pool_folds(
    metrics: dict[str, Any],
    splits: pd.DataFrame,
    folds: int,
    **results: Any,  # noqa: ANN401
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Put the folds of a candidate together: each image is read by a model that has not seen it.

    Args:
        metrics: Those of `train_candidate`.
        splits: The sample that was split into folds.
        folds: Their number.
        results: `fold_<n>.scores` (a mapping) and `fold_<n>.predictions` (a table), from 1.

    Returns:
        The metrics with the scores on all images of the sample in place of those on the validation
        images (log loss, calibration error and seconds are means of the folds), and in `folds` a
        row per fold: `fold`, `images`, `validation_accuracy`, `fit_seconds`; and the predictions of
        all folds, with a column `fold`.

    Raises:
        ValueError: A fold is one of other settings, data or splits.
    """
    numbers = range(1, folds + 1)
    scores = [results[f"fold_{n}.scores"] for n in numbers]
    tables = [results[f"fold_{n}.predictions"].assign(fold=n) for n in numbers]
    predictions = pd.concat(tables).sort_values("index", ignore_index=True)
    same = all(each[key] == metrics[key] for each in scores for key in ("settings", "data_sha256"))
    same &= splits_sha256(splits) == metrics["splits_sha256"]
    if not same or not np.array_equal(predictions["index"], splits["index"]):
        raise ValueError(
            "expected folds of the settings, data and splits that the candidate was trained with, "
            "found others: run `kedro run` with 'data_split.folds' from the start"
        )
    labels = predictions["label"].to_numpy(), predictions["prediction"].to_numpy()
    pooled = score_predictions(*labels, None, "validation")
    images = [len(table) for table in tables]
    for name in ("log_loss", "expected_calibration_error", "fit_seconds"):
        values = [each[name] for each in scores]
        pooled[name] = None if None in values else float(np.average(values, weights=images))
    rows = [
        {"fold": n, "images": count} | {name: each[name] for name in OF_EACH_FOLD}
        for n, count, each in zip(numbers, images, scores, strict=True)
    ]
    return metrics | pooled | {"folds": rows}, predictions


def _describe_data(dataset_profile: dict[str, Any], splits: pd.DataFrame) -> dict[str, Any]:
    return {
        "data": dataset_profile["name"],
        "class_names": dataset_profile["class_names"],
        "data_sha256": dataset_profile["data_sha256"],
        "sha256": dataset_profile["sha256"],
        "splits_sha256": splits_sha256(splits),
    }
