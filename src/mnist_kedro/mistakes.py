"""What a classifier reads badly, class by class and image by image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mnist_kedro.lazy import Figure, pd
from mnist_kedro.metrics import score_classes
from mnist_kedro.plots import plot_confusion_matrix, plot_misread_digits


def report_mistakes(
    predictions: pd.DataFrame, images: NDArray[np.uint8]
) -> tuple[pd.DataFrame, Figure, Figure]:
    """Show what a classifier reads badly.

    Args:
        predictions: A row per image: `index`, `label`, `prediction`, `confidence`.
        images: `uint8 (n, 28, 28)`, those that `index` counts, from 0.

    Returns:
        The scores of each class, the confusion matrix, and the hardest of the misread digits.
    """
    class_report = score_classes(
        predictions["label"].to_numpy(), predictions["prediction"].to_numpy()
    )
    return (
        class_report,
        plot_confusion_matrix(predictions, class_report),
        plot_misread_digits(images[predictions["index"].to_numpy()], predictions),
    )
