"""Labels and probabilities to named scores, and a classifier to predictions.

Metric names are the same in the leaderboard, in plots and in MLflow. Accuracies are fractions, 0-1.
"""

from __future__ import annotations

import pickle
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from mnist_kedro.classifiers.parameter_count import count_parameters
from mnist_kedro.evaluation.calibration import (
    expected_calibration_error,
    mean_log_loss,
    reliability_table,
)
from mnist_kedro.lazy import pd

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from mnist_kedro.classifiers.classifier import Classifier

CONFIDENCE = 0.95
TIMED_SINGLE_PREDICTIONS = 30


def predict_labels(
    classifier: Classifier, images: NDArray[np.uint8]
) -> tuple[NDArray[np.uint8], NDArray[np.float64] | None]:
    """Return labels `(n,)` and probabilities `(n, n_classes)`, `None` where there are none."""
    if not hasattr(classifier, "predict_proba"):
        return classifier.predict(images), None
    probabilities = classifier.predict_proba(images)
    return classifier.classes_[probabilities.argmax(axis=1)], probabilities


def score_predictions(
    labels: NDArray[np.uint8],
    predictions: NDArray[np.uint8],
    probabilities: NDArray[np.float64] | None,
    split: str,
) -> dict[str, Any]:
    """Score predictions against the truth.

    Args:
        labels: True labels `(n,)`.
        predictions: Predicted labels `(n,)`.
        probabilities: `(n, n_classes)`, or `None`: then there is no `log_loss` and no
            `expected_calibration_error`.
        split: Named in the metrics: `<split>_accuracy`, with the ends of its 95 % interval in
            `<split>_accuracy_low` and `_high`.

    Returns:
        The accuracy and its interval, `macro_f1`, `log_loss`, `expected_calibration_error` and
        `recall`, a mapping per class.
    """
    from sklearn.metrics import f1_score, recall_score

    classes = np.unique(labels)
    recall = recall_score(labels, predictions, labels=classes, average=None)
    correct = labels == predictions
    low, high = wilson_interval(int(correct.sum()), len(labels))
    error = None
    if probabilities is not None:
        table = reliability_table(probabilities.max(axis=1), correct)
        error = expected_calibration_error(table)
    return {
        f"{split}_accuracy": float(correct.mean()),
        f"{split}_accuracy_low": low,
        f"{split}_accuracy_high": high,
        "macro_f1": float(f1_score(labels, predictions, average="macro")),
        "log_loss": None if probabilities is None else mean_log_loss(labels, probabilities),
        "expected_calibration_error": error,
        "recall": {str(name): float(value) for name, value in zip(classes, recall, strict=True)},
    }


def score_classifier(
    classifier: Classifier,
    images: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    split: str,
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Score a fitted classifier, and measure its speed and size.

    Args:
        classifier: The classifier.
        images: `uint8 (n, 28, 28)`.
        labels: `uint8 (n,)`.
        split: As in `score_predictions`.

    Returns:
        The scores of `score_predictions`, `predict_ms_per_image` (all images in one call),
        `predict_ms_single_image` (one image a call, median), `model_bytes` (of the pickle) and
        `parameters`; and a table with a row per image: `label`, `prediction`, `confidence` and,
        if there are probabilities, `probability_<class>` of each class, to 6 digits.
    """
    start = time.perf_counter()
    predictions, probabilities = predict_labels(classifier, images)
    seconds = time.perf_counter() - start
    scores = score_predictions(labels, predictions, probabilities, split) | {
        "predict_ms_per_image": 1000 * seconds / len(images),
        "predict_ms_single_image": _single_prediction_ms(classifier, images),
        "model_bytes": len(pickle.dumps(classifier)),
        "parameters": count_parameters(classifier),
    }
    table = pd.DataFrame({"label": labels, "prediction": predictions, "confidence": np.nan})
    if probabilities is not None:
        table["confidence"] = probabilities.max(axis=1)
        names = [f"probability_{name}" for name in classifier.classes_]
        table[names] = probabilities.round(6)
    return scores, table


def score_classes(labels: NDArray[np.uint8], predictions: NDArray[np.uint8]) -> pd.DataFrame:
    """Score each class alone.

    Args:
        labels: True labels `(n,)`.
        predictions: Predicted labels `(n,)`.

    Returns:
        A row per class: `class`, `precision` (empty where it was never predicted), `recall` (empty
        where it has no images), `f1`, and `images` of this class.
    """
    from sklearn.metrics import precision_recall_fscore_support

    classes = np.union1d(labels, predictions)
    precision, recall, f1, images = precision_recall_fscore_support(
        labels, predictions, labels=classes, zero_division=np.nan
    )
    columns = {"class": classes, "precision": precision, "recall": recall, "f1": f1}
    return pd.DataFrame(columns | {"images": images})


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson, 1927, doi:10.2307/2276774)."""
    from scipy.stats import binomtest

    interval = binomtest(successes, trials).proportion_ci(CONFIDENCE, method="wilson")
    return float(interval.low), float(interval.high)


def mcnemar_p_value(one_correct: NDArray[np.bool_], other_correct: NDArray[np.bool_]) -> float:
    """Return how likely two classifiers differ this much by chance, on the same `n` images.

    Exact test of McNemar, 1947 (doi:10.1007/BF02295996): of the images that just one of the two
    gets right, each has half of them if they are equally good.
    """
    from scipy.stats import binomtest

    only_one = int((one_correct & ~other_correct).sum())
    only_other = int((other_correct & ~one_correct).sum())
    if only_one + only_other == 0:
        return 1.0
    return float(binomtest(only_one, only_one + only_other, 0.5).pvalue)


def percent(fraction: float) -> str:
    """Return a fraction as people read it: `0.9865` as `98.65 %`."""
    return f"{100 * fraction:.2f} %"


def accuracy_text(metrics: Mapping[Any, Any], split: str) -> str:
    """Return the accuracy of a split as people read it: `98.65 % (98.05 to 99.06)`."""
    return f"{percent(metrics[f'{split}_accuracy'])} ({interval_text(metrics, split)})"


def interval_text(metrics: Mapping[Any, Any], split: str) -> str:
    """Return the ends of the 95 % interval of an accuracy, in percent: `98.05 to 99.06`."""
    low, high = (100 * metrics[f"{split}_accuracy_{end}"] for end in ("low", "high"))
    return f"{low:.2f} to {high:.2f}"


def _single_prediction_ms(classifier: Classifier, images: NDArray[np.uint8]) -> float:
    times = []
    for image in images[:TIMED_SINGLE_PREDICTIONS]:
        start = time.perf_counter()
        predict_labels(classifier, image[np.newaxis])
        times.append(time.perf_counter() - start)
    return 1000 * float(np.median(times))
