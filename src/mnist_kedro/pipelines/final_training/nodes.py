"""Refit the champion on all training images and score it, once, on the test set."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mnist_kedro.classifiers.build import Candidate, Classifier
from mnist_kedro.classifiers.fit import fit_classifier
from mnist_kedro.data.qmnist import ExtraTest, Qmnist, load_extra_test
from mnist_kedro.data.sources import verify_data
from mnist_kedro.data.splits import verify_splits
from mnist_kedro.evaluation.figures import plot_reliability
from mnist_kedro.evaluation.metrics import (
    predict_labels,
    reliability_table,
    score_classifier,
    score_predictions,
    wilson_interval,
)
from mnist_kedro.formats.idx import idx_sha256
from mnist_kedro.lazy import Figure, NDArray, np, pd
from mnist_kedro.parameters import Parameters, UserError

logger = logging.getLogger(__name__)


class FinalTrainingParameters(Parameters):
    """An extra test, which nobody has tuned to, if there is to be one; a note for the card."""

    extra_test: str | None
    note: str | None
    cache: Path
    qmnist: Qmnist


def find_extra_test(
    parameters: FinalTrainingParameters, dataset_profile: dict[str, Any]
) -> dict[str, Any]:
    """Find the extra test before anything is trained, so that a missing one costs no time.

    Returns:
        Its `name`, `images` (their number) and `sha256`; `name` is `None` if there is to be none.

    Raises:
        DownloadError: No mirror gave it.
        UserError: It is missing, damaged, has classes that the data set does not have, or has the
            images of the data set itself.
    """
    if parameters.extra_test is None:
        return {"name": None}
    test = _load_extra_test(parameters, dataset_profile["class_names"])
    if idx_sha256(test.images) in dataset_profile["sha256"].values():
        raise UserError(
            f"expected 'final_training.extra_test' to be other images than those of the data set, "
            f"found the same in {parameters.extra_test}"
        )
    return {"name": test.name, "images": len(test.labels), "sha256": test.sha256()}


def train_final_model(
    champion: dict[str, Any],
    train_images: NDArray[np.uint8],
    train_labels: NDArray[np.uint8],
    splits: pd.DataFrame,
    test_images: NDArray[np.uint8],
    test_labels: NDArray[np.uint8],
    extra_test: dict[str, Any],
    parameters: FinalTrainingParameters,
) -> tuple[Classifier, pd.DataFrame, dict[str, Any], pd.DataFrame]:
    """Fit the champion on all training images, then score it on the test images, once.

    Both at once, as with each candidate: the size of a model that was saved and loaded between
    them would depend on what else its process has loaded. The splits are only checked.

    Returns:
        The fitted classifier; its history, as `fit_classifier` has it; its metrics; and a row per
        test image: `index` (from 0) and the columns of `score_classifier`. The metrics are those of
        `score_classifier`, `n_test`, `fit_started` (ISO 8601, UTC), `fit_seconds`,
        `fit_cpu_seconds`, `candidate`, `data`, `class_names`, `data_sha256`, and those of
        `score_extra_test`, if an extra test is wanted.

    Raises:
        UserError: The images or the splits are not those on which the champion was chosen, or the
            extra test has changed since it was found.
    """
    verify_data(champion["sha256"], train_images=train_images, train_labels=train_labels)
    verify_data(champion["sha256"], test_images=test_images, test_labels=test_labels)
    verify_splits(splits, champion["splits_sha256"])
    settings = dict(champion["settings"])
    seed = settings.pop("seed")
    candidate = Candidate.model_validate(settings)
    fit_started = datetime.now(UTC).isoformat()
    model, history = fit_classifier(candidate, seed, (train_images, train_labels))
    scores, predictions = score_classifier(model, test_images, test_labels, "test")
    predictions.insert(0, "index", np.arange(len(predictions)))
    metrics = {
        "candidate": champion["candidate"],
        **scores,
        "n_test": len(test_labels),
        "fit_started": fit_started,
        "fit_seconds": float(history["seconds"].iloc[-1]),
        "fit_cpu_seconds": float(history["cpu_seconds"].iloc[-1]),
        **{key: champion[key] for key in ("data", "class_names", "data_sha256")},
    }
    if extra_test["name"]:
        found = extra_test["sha256"]
        metrics |= score_extra_test(model, found, parameters, champion["class_names"])
    return model, history, metrics, predictions


def score_extra_test(
    model: Classifier,
    sha256: str,
    parameters: FinalTrainingParameters,
    class_names: Sequence[str],
) -> dict[str, Any]:
    """Score a model on the extra test with this checksum, the one that was found before.

    Returns:
        `extra_test` (its name), `n_extra_test`, and `extra_test_accuracy` with `_low` and `_high`.

    Raises:
        UserError: It has another checksum.
    """
    test = _load_extra_test(parameters, class_names)
    if test.sha256() != sha256:
        raise UserError(
            f"expected the extra test {test.name} as it was found before, found other images or "
            f"labels: run `kedro run --pipeline=final` again"
        )
    predictions, _ = predict_labels(model, test.images)
    scores = score_predictions(test.labels, predictions, None, "extra_test")
    accuracy = {key: scores[key] for key in scores if key.startswith("extra_test_accuracy")}
    return {"extra_test": test.name, "n_extra_test": len(test.labels), **accuracy}


def export_final_model(
    final_model: Classifier, test_images: NDArray[np.uint8]
) -> tuple[bytes, dict[str, Any]]:
    """Export the final model to ONNX, and check on images that the export predicts the same.

    Returns:
        The ONNX model, and its `sha256` with the results of `compare_with_onnx`. A classifier that
        has no such model gives no bytes, and a `sha256` of `None` with a `reason`.
    """
    from mnist_kedro.classifiers.onnx_export import compare_with_onnx, export_to_onnx

    try:
        final_onnx = export_to_onnx(final_model)
        comparison = compare_with_onnx(final_model, final_onnx, test_images)
    except (ValueError, RuntimeError) as error:  # also how the exporters say that they cannot
        logger.warning("The final model has no ONNX export: %s.", error)
        return b"", {"sha256": None, "reason": str(error)}
    return final_onnx, {"sha256": hashlib.sha256(final_onnx).hexdigest()} | comparison


def describe_final_model(
    champion: dict[str, Any],
    final_model: Classifier,
    final_metrics: dict[str, Any],
    onnx_check: dict[str, Any],
    provenance: dict[str, Any],
) -> dict[str, Any]:
    """Describe everything that is needed to make the final model again.

    Returns:
        `candidate`, `settings`, `data`, `data_sha256`, the champion's validation accuracy and the
        test accuracy with their intervals, the champion's `confidence_threshold`, `classes` in the
        order of the probabilities and their `class_names`, `onnx` (what `export_final_model`
        found), and `provenance`: versions of all inputs, packages and code.
    """
    classes = final_model.classes_.tolist()
    accuracy = ("accuracy", "accuracy_low", "accuracy_high")
    return {
        **{key: champion[key] for key in ("candidate", "settings", "data", "data_sha256")},
        **{f"validation_{key}": champion[f"validation_{key}"] for key in accuracy},
        **{f"test_{key}": final_metrics[f"test_{key}"] for key in accuracy},
        "confidence_threshold": champion["confidence_threshold"],
        "classes": classes,
        "class_names": [champion["class_names"][label] for label in classes],
        "onnx": onnx_check,
        "provenance": provenance,
    }


def draw_reliability_diagram(test_predictions: pd.DataFrame) -> Figure:
    """Draw how often the final model is right, by how confident it was."""
    known = test_predictions.dropna(subset="confidence")
    correct = (known["label"] == known["prediction"]).to_numpy()
    table = reliability_table(known["confidence"].to_numpy(), correct)
    ends = [wilson_interval(*each) for each in zip(table["correct"], table["images"], strict=True)]
    return plot_reliability(table.join(pd.DataFrame(ends, columns=["low", "high"])))


def find_label_issues(test_predictions: pd.DataFrame) -> pd.DataFrame:
    """Find test images whose given label is probably wrong.

    By confident learning: Northcutt et al., 2021, doi:10.1613/jair.1.12125. It needs probabilities
    of images on which the model was not fitted, and the test images are such.

    Returns:
        A row per suspect, the most suspicious first: `index` (of the test image, from 0), and
        cleanlab's `label_quality` (the probability of the given label), `given_label` and
        `predicted_label`. No rows for a classifier without probabilities.
    """
    from cleanlab import filter as confident_learning

    labels = test_predictions["label"].to_numpy()  # from 0, so they also number the columns below
    probabilities = test_predictions.filter(like="probability_").to_numpy()
    suspects = np.array([], dtype=np.intp)
    if probabilities.size:
        suspects = confident_learning.find_label_issues(
            labels, probabilities, return_indices_ranked_by="self_confidence", n_jobs=1
        )
    return pd.DataFrame(
        {
            "index": suspects,
            "label_quality": probabilities[suspects, labels[suspects]],
            "given_label": labels[suspects],
            "predicted_label": test_predictions["prediction"].to_numpy()[suspects],
        }
    )


def _load_extra_test(parameters: FinalTrainingParameters, class_names: Sequence[str]) -> ExtraTest:
    source = str(parameters.extra_test)
    return load_extra_test(source, parameters.qmnist, parameters.cache, class_names)
