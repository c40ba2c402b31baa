"""What a classifier reads badly, class by class and image by image."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_kedro.evaluation.confusion_matrix import plot_confusion_matrix
from mnist_kedro.evaluation.metrics import score_classes
from mnist_kedro.evaluation.plots import plot_misread_digits
from mnist_kedro.lazy import Figure, pd


def report_mistakes(
    predictions: pd.DataFrame, images: NDArray[np.uint8], metrics: dict[str, Any]
) -> tuple[pd.DataFrame, Figure, Figure]:
    """Show what a classifier reads badly.

    Args:
        predictions: A row per image: `index`, `label`, `prediction`, `confidence`.
        images: `uint8 (n, 28, 28)`, those that `index` counts, from 0.
        metrics: With `class_names`, in the order of the labels.

    Returns:
        The scores of each class as `score_classes` has them, with its `name`; the confusion matrix;
        and the hardest of the misread digits.
    """
    class_report = score_classes(
        predictions["label"].to_numpy(), predictions["prediction"].to_numpy()
    )
    class_names = metrics["class_names"]
    class_report.insert(1, "name", [class_names[label] for label in class_report["class"]])
    return (
        class_report,
        plot_confusion_matrix(predictions, class_report),
        plot_misread_digits(images, predictions, class_names),
    )
