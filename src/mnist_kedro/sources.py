"""Where images come from: a folder, or scikit-learn's own digits (`mirrors.py` has the web).

Every source ends in the same four verified arrays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mnist_kedro.idx import IdxFormatError, idx_sha256, read_idx
from mnist_kedro.mnist_format import SIDE, bring_to_format

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

CLASSES = 10
FULL = 16  # the darkest ink of scikit-learn's digits
FILES = {
    "train_images": "train-images-idx3-ubyte",
    "train_labels": "train-labels-idx1-ubyte",
    "test_images": "t10k-images-idx3-ubyte",
    "test_labels": "t10k-labels-idx1-ubyte",
}


class Arrays(NamedTuple):
    """Images `uint8 (n, 28, 28)`, 0 = paper, 255 = ink; labels `uint8 (n,)`, 0-9."""

    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.uint8]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.uint8]


def load_folder(folder: Path) -> Arrays:
    """Read the four IDX files of a folder, with or without `.gz`, named `-idx3-` or `.idx3-ubyte`.

    Raises:
        FileNotFoundError: The folder or a file in it is missing.
        IdxFormatError: A file is damaged, or the files do not belong together.
    """
    if not folder.is_dir():
        raise FileNotFoundError(
            f"expected 'source' to be auto, mnist, embedded or a folder with the four IDX files, "
            f"found {str(folder)!r}, which is no folder"
        )
    paths = {key: _find_file(folder, name) for key, name in FILES.items()}
    arrays = Arrays(**{key: read_file(key, path) for key, path in paths.items()})
    validate_arrays(arrays, {key: str(path) for key, path in paths.items()})
    return arrays


def embedded_digits() -> Arrays:
    """Return scikit-learn's 1,797 real 8x8 digits in MNIST's format.

    The first four fifths, in the order of the original, are for training; that order goes from
    writer to writer, so that the test holds mostly the writing of other people.
    Source: E. Alpaydin and C. Kaynak, https://doi.org/10.24432/C50P49.
    """
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = np.stack([bring_to_format(digit / FULL) for digit in digits.images])
    labels = digits.target.astype(np.uint8)
    n_train = len(labels) * 4 // 5
    arrays = Arrays(images[:n_train], labels[:n_train], images[n_train:], labels[n_train:])
    validate_arrays(arrays, {key: f"embedded {key}" for key in FILES})
    return arrays


def validate_arrays(arrays: Arrays, names: Mapping[str, str]) -> None:
    """Check what a single file cannot tell; `names` says how to call each file in an error.

    Raises:
        IdxFormatError: Counts that differ, labels other than all of 0-9, or
            images that are constant or do not use the range from 0 (paper) to 255 (ink).
    """
    for split in ("train", "test"):
        images: NDArray[np.uint8] = getattr(arrays, f"{split}_images")
        labels: NDArray[np.uint8] = getattr(arrays, f"{split}_labels")
        images_file, labels_file = names[f"{split}_images"], names[f"{split}_labels"]
        if len(images) != len(labels):
            raise IdxFormatError(
                f"{labels_file}: expected a label for each of the {len(images):,} images in "
                f"{images_file}, found {len(labels):,} labels"
            )
        if labels.max() >= CLASSES or len(set(labels.tolist())) < CLASSES:
            raise IdxFormatError(
                f"{labels_file}: expected all labels from 0 to {CLASSES - 1} and no other, found "
                f"{sorted(set(labels.tolist()))}"
            )
        lowest, highest = images.min(), images.max()
        if lowest > np.iinfo(np.uint8).max // 2 or highest <= np.iinfo(np.uint8).max // 2:
            raise IdxFormatError(
                f"{images_file}: expected pixels from 0 (paper) to 255 (ink), found only values "
                f"from {lowest} to {highest}"
            )


def verify_data(sha256: Mapping[str, str], **arrays: NDArray[np.uint8]) -> None:
    """Make sure that these arrays, named as in `FILES`, are the ones with these checksums.

    Raises:
        ValueError: One is not.
    """
    for key, array in arrays.items():
        if (found := idx_sha256(array)) != sha256[key]:
            raise ValueError(
                f"expected {key} to be the data of the stages before, with the sha256 "
                f"{sha256[key]}, found {found}: run `kedro run` from the start, or load versions "
                f"that belong together"
            )


def _find_file(folder: Path, name: str) -> Path:
    stems = (name, name.replace("-idx", ".idx"))
    for candidate in (folder / f"{stem}{suffix}" for stem in stems for suffix in ("", ".gz")):
        if candidate.is_file():
            return candidate
    raise FileNotFoundError(f"{folder}: expected the file {name} or {name}.gz, found neither")


def read_file(key: str, path: Path) -> NDArray[np.uint8]:
    """Read the file that `FILES` has under this name: images `(n, 28, 28)` or labels `(n,)`."""
    return read_idx(path, item_shape(key))


def item_shape(key: str) -> tuple[int, ...]:
    """Return the shape of one image, or of one label, of the file that `FILES` has so named."""
    return (SIDE, SIDE) if key.endswith("images") else ()
