"""The images and labels of the splits, checked to belong together."""

from __future__ import annotations

import hashlib
import tempfile
from typing import TYPE_CHECKING, Any

from mnist_kedro.data.sources import verify_data
from mnist_kedro.formats.idx import MAX_UNPACKED_BYTES, parts
from mnist_kedro.lazy import NDArray, np
from mnist_kedro.parameters import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mnist_kedro.lazy import pd

    Labelled = tuple[NDArray[np.uint8], NDArray[np.uint8]]  # images (n, 28, 28) and labels (n,)


def take_splits(
    train_images: NDArray[np.uint8],
    train_labels: NDArray[np.uint8],
    splits: pd.DataFrame,
    dataset_profile: Mapping[str, Any],
) -> tuple[Labelled, Labelled]:
    """Return images and labels of the split `train`, then those of `validation`.

    Args:
        train_images: `uint8 (n, 28, 28)`.
        train_labels: `uint8 (n,)`.
        splits: Rows of `index`, `label`, `split`.
        dataset_profile: With the checksums of the data.

    Raises:
        UserError: They do not belong together.
    """
    sha256 = dataset_profile["sha256"]
    verify_data(sha256, train_images=train_images, train_labels=train_labels)
    index = splits["index"].to_numpy()
    if index.max() >= len(train_labels) or not np.array_equal(train_labels[index], splits["label"]):
        raise UserError(
            "expected 'splits' to be made from these training labels, found other labels in it: "
            "run `kedro run --pipelines=data_split`"
        )
    train, validation = (index[splits["split"] == name] for name in ("train", "validation"))
    return (
        (_take(train_images, train), train_labels[train]),
        (_take(train_images, validation), train_labels[validation]),
    )


def splits_sha256(splits: pd.DataFrame) -> str:
    """Return the sha256, in hex, of the table's content as CSV, whatever format it is saved in."""
    return hashlib.sha256(splits.to_csv(index=False).encode()).hexdigest()


def verify_splits(splits: pd.DataFrame, sha256: str) -> None:
    """Check that these are the splits with this checksum, or raise a `UserError`."""
    if (found := splits_sha256(splits)) != sha256:
        raise UserError(
            f"expected 'splits' to be those on which the champion was chosen, with the sha256 "
            f"{sha256}, found {found}: run `kedro run --pipelines=model_training,model_selection`, "
            f"or load versions that belong together"
        )


def _take(images: NDArray[np.uint8], rows: NDArray[np.intp]) -> NDArray[np.uint8]:
    """Return these rows: in memory, or mapped from an unnamed file if they may not fit there."""
    if images.nbytes <= MAX_UNPACKED_BYTES:
        return images[rows]
    with tempfile.TemporaryFile() as file:  # stays on the disk as long as it is mapped
        taken = np.memmap(file, images.dtype, "w+", shape=(len(rows), *images.shape[1:]))
    for part in parts(taken):
        taken[part] = images[rows[part]]
    return np.asarray(taken)
