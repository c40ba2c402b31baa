"""Fit one candidate and score it on the validation images."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pydantic import Field

from mnist_kedro.classifiers.build import Candidate, Classifier
from mnist_kedro.classifiers.fit import fit_classifier
from mnist_kedro.data.splits import splits_sha256, take_splits
from mnist_kedro.evaluation.metrics import confidence_threshold, score_classifier
from mnist_kedro.lazy import NDArray, np, pd
from mnist_kedro.parameters import Parameters


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

    `take_splits` says what the data are, and which it refuses.

    Returns:
        The fitted classifier; its history, as `fit_classifier` has it; its metrics; and a row per
        validation image: `index`, `label`, `prediction`, `confidence`. The metrics are those of
        `score_classifier`, `confidence_threshold`, `fit_started` (ISO 8601, UTC), `fit_seconds`
        and `fit_cpu_seconds`, and what they rest on: `settings` (with the seed), what the profile
        says of the data, and `splits_sha256`.
    """
    train, validation = take_splits(train_images, train_labels, splits, dataset_profile)
    fit_started = datetime.now(UTC).isoformat()
    model, history = fit_classifier(candidate, parameters.seed, train, validation)
    scores, predictions = score_classifier(model, *validation, "validation")
    predictions.insert(0, "index", splits.query("split == 'validation'")["index"].to_numpy())
    metrics = scores | {
        "confidence_threshold": confidence_threshold(predictions),
        "settings": candidate.model_dump() | {"seed": parameters.seed},
        "data": dataset_profile["name"],
        **{key: dataset_profile[key] for key in ("class_names", "data_sha256", "sha256")},
        "splits_sha256": splits_sha256(splits),
        "fit_started": fit_started,
        "fit_seconds": float(history["seconds"].iloc[-1]),
        "fit_cpu_seconds": float(history["cpu_seconds"].iloc[-1]),
    }
    return model, history, metrics, predictions[["index", "label", "prediction", "confidence"]]
