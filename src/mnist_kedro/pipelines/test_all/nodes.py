"""Score every candidate on the test images, once, after all has been chosen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mnist_kedro.classifiers.classifier import Classifier
from mnist_kedro.lazy import pd
from mnist_kedro.metrics import wilson_interval


def test_candidates(
    test_images: NDArray[np.uint8], test_labels: NDArray[np.uint8], **models: Classifier
) -> pd.DataFrame:
    """Score the candidates' models, which were fitted on the images of the split `train`.

    Args:
        test_images: `uint8 (n, 28, 28)`.
        test_labels: `uint8 (n,)`.
        models: `<candidate>.model` of each candidate.

    Returns:
        A row per candidate, the most accurate first: `candidate`, `test_accuracy`, and the ends of
        its 95 % interval in `test_accuracy_low` and `test_accuracy_high`.
    """
    rows = []
    for name, model in models.items():
        correct = model.predict(test_images) == test_labels
        low, high = wilson_interval(int(correct.sum()), len(test_labels))
        rows.append((name.rpartition(".")[0], correct.mean(), low, high))
    columns = ["candidate", "test_accuracy", "test_accuracy_low", "test_accuracy_high"]
    table = pd.DataFrame(rows, columns=columns)
    return table.sort_values("test_accuracy", ascending=False, kind="stable", ignore_index=True)
