import numpy as np
import pytest

from mnist_kedro.metrics import wilson_interval
from mnist_kedro.pipelines.test_all import nodes

IMAGES = np.zeros((10, 28, 28), dtype=np.uint8)
LABELS = np.arange(10, dtype=np.uint8)


class Model:
    """Gets the first `right` of ten images right."""

    def __init__(self, right):
        self.right = right

    def predict(self, images):
        return np.where(np.arange(len(images)) < self.right, LABELS, (LABELS + 1) % 10)


def test_every_candidate_is_scored_and_the_most_accurate_comes_first():
    models = {"worse.model": Model(3), "best.model": Model(9), "as_good.model": Model(9)}
    table = nodes.test_candidates(IMAGES, LABELS, **models)
    assert table["candidate"].tolist() == ["best", "as_good", "worse"]
    assert table["test_accuracy"].tolist() == pytest.approx([0.9, 0.9, 0.3])
    ends = table[["test_accuracy_low", "test_accuracy_high"]].iloc[2]
    assert tuple(ends) == wilson_interval(3, 10)
