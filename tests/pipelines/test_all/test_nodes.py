import numpy as np
import pytest

from mnist_kedro.evaluation.metrics import wilson_interval
from mnist_kedro.formats.idx import idx_sha256
from mnist_kedro.pipelines.test_all import nodes

IMAGES = np.zeros((10, 28, 28), dtype=np.uint8)
LABELS = np.arange(10, dtype=np.uint8)
SHA256 = {"test_images": idx_sha256(IMAGES), "test_labels": idx_sha256(LABELS)}


class Model:
    """Gets the first `right` of ten images right."""

    def __init__(self, right):
        self.right = right

    def predict(self, images):
        return np.where(np.arange(len(images)) < self.right, LABELS, (LABELS + 1) % 10)


def results(**right):
    """Models and metrics of candidates that get so many right."""
    metrics = {"sha256": SHA256, "data": "digits"}
    return {f"{name}.model": Model(n) for name, n in right.items()} | {
        f"{name}.metrics": metrics for name in right
    }


def test_every_candidate_is_scored_and_the_most_accurate_comes_first():
    table = nodes.test_candidates(IMAGES, LABELS, **results(worse=3, best=9, as_good=9))
    assert table["candidate"].tolist() == ["best", "as_good", "worse"]
    assert table["test_accuracy"].tolist() == pytest.approx([0.9, 0.9, 0.3])
    ends = table[["test_accuracy_low", "test_accuracy_high"]].iloc[2]
    assert tuple(ends) == wilson_interval(3, 10)
    assert set(table["data"]) == {"digits"}


def test_test_images_of_other_data_are_refused():
    with pytest.raises(ValueError, match="expected test_images to be the data of"):
        nodes.test_candidates(IMAGES + 1, LABELS, **results(best=9))


def test_candidates_trained_on_different_data_are_refused():
    both = results(one=3, other=9)
    both["other.metrics"] = both["other.metrics"] | {"data": "digits with more"}
    with pytest.raises(ValueError, match="expected candidates trained on the same data, found one"):
        nodes.test_candidates(IMAGES, LABELS, **both)
