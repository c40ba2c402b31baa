"""The rows of one split: which images and labels it has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mnist_kedro.classifiers.classifier import Labelled
    from mnist_kedro.lazy import pd


def take_split(
    split: str, images: NDArray[np.uint8], labels: NDArray[np.uint8], splits: pd.DataFrame
) -> Labelled:
    """Return the images and labels of one split.

    Args:
        split: `train` or `validation`.
        images: All training images, `uint8 (n, 28, 28)`.
        labels: `uint8 (n,)`.
        splits: Rows of `index`, `label`, `split`.

    Raises:
        ValueError: The splits are of other labels.
    """
    rows = splits[splits["split"] == split]
    index = rows["index"].to_numpy()
    if index.max() >= len(labels) or not np.array_equal(labels[index], rows["label"]):
        raise ValueError(
            "expected 'splits' to be made from these training labels, found other labels in it: "
            "run `kedro run --pipelines=data_split`"
        )
    return images[index], labels[index]
