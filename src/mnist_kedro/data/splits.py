"""The images and labels of the splits, checked to belong together."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mnist_kedro.data.sources import verify_data

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mnist_kedro.lazy import pd

Labelled = tuple[NDArray[np.uint8], NDArray[np.uint8]]  # images (n, 28, 28) and labels (n,)
ROWS = 100_000  # of a table that are text at once


def take_splits(
    train_images: NDArray[np.uint8],
    train_labels: NDArray[np.uint8],
    splits: pd.DataFrame,
    dataset_profile: Mapping[str, Any],
) -> tuple[Labelled, Labelled]:
    """Return images and labels of the split `train`, then those of `validation`.

    Args:
        train_images: All of them, `uint8 (n, 28, 28)`.
        train_labels: `uint8 (n,)`.
        splits: Rows of `index`, `label`, `split`.
        dataset_profile: With the checksums of the data.

    Raises:
        ValueError: Images, splits and profile do not belong together.
    """
    sha256 = dataset_profile["sha256"]
    verify_data(sha256, train_images=train_images, train_labels=train_labels)
    index = splits["index"].to_numpy()
    if index.max() >= len(train_labels) or not np.array_equal(train_labels[index], splits["label"]):
        raise ValueError(
            "expected 'splits' to be made from these training labels, found other labels in it: "
            "run `kedro run --pipelines=data_split`"
        )
    train, validation = (index[splits["split"] == name] for name in ("train", "validation"))
    return (
        (train_images[train], train_labels[train]),
        (train_images[validation], train_labels[validation]),
    )


def splits_sha256(splits: pd.DataFrame) -> str:
    """Return the sha256, in hex, of this table as CSV: of its content, however it is saved."""
    digest = hashlib.sha256(splits[:0].to_csv(index=False).encode())  # the names of the columns
    for first in range(0, len(splits), ROWS):
        part = splits[first : first + ROWS].to_csv(index=False, header=False)
        digest.update(part.encode())
    return digest.hexdigest()


def verify_splits(splits: pd.DataFrame, sha256: str) -> None:
    """Make sure that these are the splits with this checksum.

    Raises:
        ValueError: They are not.
    """
    if (found := splits_sha256(splits)) != sha256:
        raise ValueError(
            f"expected 'splits' to be those on which the champion was chosen, with the sha256 "
            f"{sha256}, found {found}: run `kedro run --pipelines=model_training,model_selection`, "
            f"or load versions that belong together"
        )
