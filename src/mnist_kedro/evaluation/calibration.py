"""Whether a classifier's confidence can be believed.

Confidence is the probability of the predicted label, 0-1. Guo et al., 2017, "On calibration of
modern neural networks".
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from mnist_kedro.formats.idx import parts
from mnist_kedro.lazy import pd

if TYPE_CHECKING:
    from numpy.typing import NDArray

BINS = 15


def reliability_table(confidence: NDArray[np.float64], correct: NDArray[np.bool_]) -> pd.DataFrame:
    """Compare confidence with accuracy, in `BINS` equally wide bins of confidence.

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


def mean_log_loss(labels: NDArray[np.uint8], probabilities: NDArray[np.float64]) -> float:
    """Return scikit-learn's log loss without its memory, several times that of what it is given.

    Args:
        labels: True labels `(n,)`.
        probabilities: `(n, n_classes)`.
    """
    from sklearn.metrics import log_loss

    of_part = partial(log_loss, labels=np.unique(labels))
    losses = (  # of a single part exactly scikit-learn's
        len(labels[rows]) / len(labels) * of_part(labels[rows], probabilities[rows])
        for rows in parts(probabilities)
    )
    return float(sum(losses))
