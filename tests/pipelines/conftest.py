import numpy as np
import pandas as pd
import pytest

from mnist_kedro.data.sources import embedded_digits
from mnist_kedro.formats.idx import idx_sha256


@pytest.fixture(scope="package")
def digits():
    return embedded_digits()


@pytest.fixture(scope="package")
def data(digits):
    """Images, labels, splits and profile; every third is left out, every fifth validates."""
    images, labels = digits.train_images, digits.train_labels
    index = np.array([i for i in range(len(labels)) if i % 3])
    names = np.where(index % 5, "train", "validation")
    splits = pd.DataFrame({"index": index, "label": labels[index], "split": names})
    sha256 = {"train_images": idx_sha256(images), "train_labels": idx_sha256(labels)}
    about = {"name": "digits", "class_names": list("abcdefghij"), "data_sha256": "abc"}
    return images, labels, splits, about | {"sha256": sha256}
