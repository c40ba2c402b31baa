"""Classifiers to predictions, and predictions to named scores, intervals and tests.

Metric names are the same in the leaderboard, in plots and in MLflow. Accuracies are fractions, 0-1.
"""

from __future__ import annotations

import pickle
import time
from typing import TYPE_CHECKING, Any

from mnist_kedro.classifiers.fit import count_weights, predict_probabilities
from mnist_kedro.lazy import np, pd

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from mnist_kedro.classifiers.build import Classifier

CONFIDENCE = 0.95
BINS = 15  # of confidence
TIMED_SINGLE_PREDICTIONS = 10
UNSURE = 0.02  # of the images that are read right have less than the `confidence_threshold`


def predict_labels(
    classifier: Classifier, images: NDArray[np.uint8]
) -> tuple[NDArray[np.uint8], NDArray[np.float64] | None]:
    """Return labels `(n,)` and probabilities `(n, n_classes)`, or `None` if there are none."""
    if not hasattr(classifier, "predict_proba"):
        return classifier.predict(images), None
    probabilities = predict_probabilities(classifier, images)
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
        probabilities: `(n, n_classes)`, or `None`: then there is no log loss and no
            expected calibration error.
        split: With which the names of the metrics begin.

    Returns:
        `<split>_accuracy`, with the ends of its 95 % interval in `<split>_accuracy_low` and
        `_high`, `<split>_macro_f1`, `<split>_log_loss`, `<split>_expected_calibration_error` and
        `<split>_recall`, a mapping per class.
    """
    from sklearn.metrics import f1_score, log_loss, recall_score

    classes = np.unique(labels)
    recall = recall_score(labels, predictions, labels=classes, average=None)
    correct = labels == predictions
    low, high = wilson_interval(int(correct.sum()), len(labels))
    loss = error = None
    if probabilities is not None:
        loss = float(log_loss(labels, probabilities, labels=classes))
        error = expected_calibration_error(reliability_table(probabilities.max(axis=1), correct))
    scores = {
        "accuracy": float(correct.mean()),
        "accuracy_low": low,
        "accuracy_high": high,
        "macro_f1": float(f1_score(labels, predictions, average="macro")),
        "log_loss": loss,
        "expected_calibration_error": error,
        "recall": {str(name): float(value) for name, value in zip(classes, recall, strict=True)},
    }
    return {f"{split}_{name}": score for name, score in scores.items()}


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
        `predict_ms_single_image` (one image a call, median), `model_bytes` (of the
        pickle, uncompressed) and `n_parameters`; and a table with a row per image: `label`,
        `prediction`, `confidence` and, if there are probabilities, `probability_<class>` of each
        class, to 6 digits.
    """
    start = time.perf_counter()
    predictions, probabilities = predict_labels(classifier, images)
    seconds = time.perf_counter() - start
    scores = score_predictions(labels, predictions, probabilities, split) | {
        "predict_ms_per_image": 1000 * seconds / len(images),
        "predict_ms_single_image": _single_prediction_ms(classifier, images),
        "model_bytes": len(pickle.dumps(classifier)),
        "n_parameters": count_weights(classifier),
    }
    table = pd.DataFrame({"label": labels, "prediction": predictions, "confidence": np.nan})
    if probabilities is not None:
        table["confidence"] = probabilities.max(axis=1)
        names = [f"probability_{name}" for name in classifier.classes_]
        table[names] = probabilities.round(6)
    return scores, table


def score_classes(
    labels: NDArray[np.uint8], predictions: NDArray[np.uint8], class_names: Sequence[str]
) -> pd.DataFrame:
    """Score each class alone.

    Args:
        labels: True labels `(n,)`.
        predictions: Predicted labels `(n,)`.
        class_names: In the order of the labels.

    Returns:
        A row per class: `class`, its `name`, `precision` (empty where it was never predicted),
        `recall` (empty where it has no images), `f1`, and `images` of this class.
    """
    from sklearn.metrics import precision_recall_fscore_support

    classes = np.union1d(labels, predictions)
    precision, recall, f1, images = precision_recall_fscore_support(
        labels, predictions, labels=classes, zero_division=np.nan
    )
    names = [class_names[label] for label in classes]
    scores = {"precision": precision, "recall": recall, "f1": f1, "images": images}
    return pd.DataFrame({"class": classes, "name": names} | scores)


def reliability_table(confidence: NDArray[np.float64], correct: NDArray[np.bool_]) -> pd.DataFrame:
    """Compare confidence with accuracy, in `BINS` equally wide bins of confidence.

    Confidence is the probability of the predicted label, 0-1. Guo et al., 2017, "On calibration of
    modern neural networks".

    Args:
        confidence: Of each prediction, `(n,)`.
        correct: Whether each prediction is right, `(n,)`.

    Returns:
        A row per bin that is not empty: `bin` (from 0; its upper end is part of it), mean
        `confidence`, `accuracy`, `correct` (how many) and `images`.
    """
    inner_edges = np.linspace(0, 1, BINS + 1)[1:-1]
    bins = np.searchsorted(inner_edges, confidence)
    table = pd.DataFrame({"bin": bins, "confidence": confidence, "correct": correct})
    return table.groupby("bin", as_index=False).agg(
        confidence=("confidence", "mean"),
        accuracy=("correct", "mean"),
        correct=("correct", "sum"),
        images=("correct", "size"),
    )


def expected_calibration_error(table: pd.DataFrame) -> float:
    """Return by how much confidence and accuracy differ, 0-1: the mean over all images.

    Args:
        table: What `reliability_table` returned.
    """
    gaps = (table["accuracy"] - table["confidence"]).abs()
    return float(np.average(gaps, weights=table["images"]))


def confidence_threshold(predictions: pd.DataFrame) -> float | None:
    """Return the confidence of which 2 % of the rightly predicted images fall short.

    Below it, an image may be of none of the classes.

    Args:
        predictions: `label`, `prediction` and `confidence` of each validation image.

    Returns:
        The confidence, 0-1; `None` if the classifier gives no probabilities, or is never right.
    """
    is_right = predictions["label"] == predictions["prediction"]
    right = predictions.loc[is_right, "confidence"].dropna()
    return None if right.empty else float(right.quantile(UNSURE))


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


def by_candidate(kind: str, results: Mapping[str, Any]) -> dict[str, Any]:
    """Return the results of one kind, of datasets such as `cnn.metrics`, by candidate."""
    suffix = f".{kind}"
    return {name.removesuffix(suffix): results[name] for name in results if name.endswith(suffix)}


def mcnemar_p_values(predictions: Sequence[pd.DataFrame]) -> list[float]:
    """Return the `mcnemar_p_value` of each table against the first: `label` and `prediction`."""
    correct = [(table["label"] == table["prediction"]).to_numpy() for table in predictions]
    return [mcnemar_p_value(correct[0], each) for each in correct]


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
