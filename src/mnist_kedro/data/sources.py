"""Where images come from: a folder, or scikit-learn's own digits (`mirrors.py` has the web).

Every source ends in the same four verified arrays.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mnist_kedro.formats.idx import INTEGER, UNSIGNED_BYTE, IdxFormatError, idx_sha256, read_idx
from mnist_kedro.formats.mapped import parts
from mnist_kedro.formats.mnist_format import SIDE, bring_to_format

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from mnist_kedro.data.descriptions import Description

FORMATS = {  # of a file, by the last word of its key: the shape of an item, and IDX's type
    "images": ((SIDE, SIDE), UNSIGNED_BYTE),
    "labels": ((), UNSIGNED_BYTE),
    "numbers": ((8,), INTEGER),  # QMNIST's, of each image: the first is its label
}
GREY = np.iinfo(np.uint8).max // 2  # between paper and ink
FULL = 16  # the darkest ink of scikit-learn's digits


class Arrays(NamedTuple):
    """Images `uint8 (n, 28, 28)`, 0 = paper, 255 = ink; labels `uint8 (n,)`, from 0 on."""

    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.uint8]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.uint8]


def load_folder(folder: Path, description: Description) -> tuple[Arrays, bool]:
    """Read the four IDX files of a folder, with or without `.gz`, named `-idx3-` or `.idx3-ubyte`.

    Returns:
        The arrays, and whether the files are those whose checksums the description has.

    Raises:
        FileNotFoundError: The folder or a file in it is missing.
        IdxFormatError: A file is damaged, or the files do not belong together.
    """
    if not folder.is_dir():
        raise FileNotFoundError(
            f"expected 'source' to be auto, mnist, embedded or a folder with the four IDX files or "
            f"with pictures in train/<class>/, found {str(folder)!r}, which is no folder"
        )
    paths = {key: find_file(folder, name) for key, name in description.file_names().items()}
    arrays = Arrays(**{key: read_file(key, path) for key, path in paths.items()})
    sha256 = description.checksums()
    official = all(  # the smallest first: one that is not settles it
        has_sha256(paths[key], getattr(arrays, key), sha256[key]) for key in reversed(paths)
    )
    names = {key: str(path) for key, path in paths.items()}
    return bring_to_order(arrays, names, description), official


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
    return Arrays(images[:n_train], labels[:n_train], images[n_train:], labels[n_train:])


def bring_to_order(arrays: Arrays, names: Mapping[str, str], description: Description) -> Arrays:
    """Let labels count from 0 and images stand upright, as in MNIST.

    Args:
        arrays: As the files have them.
        names: How to call each file in an error.
        description: Says what the files have.

    Raises:
        IdxFormatError: As `validate_arrays`.
    """
    validate_arrays(arrays, names, description)
    if not description.first_label and not description.transposed:
        return arrays  # as they are: files that are mapped into memory stay so
    parts = {}
    for split in ("train", "test"):
        images = getattr(arrays, f"{split}_images")
        upright = images.transpose(0, 2, 1) if description.transposed else images
        parts[f"{split}_images"] = np.ascontiguousarray(upright)
        parts[f"{split}_labels"] = getattr(arrays, f"{split}_labels") - description.first_label
    return Arrays(**parts)


def validate_arrays(arrays: Arrays, names: Mapping[str, str], description: Description) -> None:
    """Check what a single file cannot tell; `names` says how to call each file in an error.

    Raises:
        IdxFormatError: Counts that differ, labels other than all that the description has, or
            images that are constant or do not use the range from 0 (paper) to 255 (ink).
    """
    first = description.first_label
    last = first + len(description.class_names) - 1
    for split in ("train", "test"):
        images: NDArray[np.uint8] = getattr(arrays, f"{split}_images")
        labels: NDArray[np.uint8] = getattr(arrays, f"{split}_labels")
        images_file, labels_file = names[f"{split}_images"], names[f"{split}_labels"]
        if len(images) != len(labels):
            raise IdxFormatError(
                f"{labels_file}: expected a label for each of the {len(images):,} images in "
                f"{images_file}, found {len(labels):,} labels"
            )
        found = np.unique(labels).tolist()
        if found != list(range(first, last + 1)):
            raise IdxFormatError(
                f"{labels_file}: expected all labels from {first} to {last} and no other, found "
                f"{found}"
            )
        lowest, highest = _range(images)
        if lowest > GREY or highest <= GREY:
            raise IdxFormatError(
                f"{images_file}: expected pixels from 0 (paper) to 255 (ink), found only values "
                f"from {lowest} to {highest}"
            )


def _range(images: NDArray[np.uint8]) -> tuple[int, int]:
    """Return the lowest and the highest pixel of all, or of the first that have paper and ink."""
    lowest, highest = np.iinfo(np.uint8).max, 0
    for rows in parts(images):
        lowest = min(lowest, int(images[rows].min()))
        highest = max(highest, int(images[rows].max()))
        if lowest <= GREY < highest:
            break
    return lowest, highest


def has_sha256(path: Path, array: NDArray[Any], sha256: str) -> bool:
    """Tell whether a file, of which this is the array, has this checksum, decompressed or as it is.

    Either may be known: mirrors compress anew, and some data sets are known by what they publish.
    """
    if idx_sha256(array) == sha256:
        return True
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == sha256


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


def find_file(folder: Path, name: str) -> Path:
    """Return the path of a file of this name, with or without `.gz`, `-idx3-` or `.idx3-ubyte`.

    Raises:
        FileNotFoundError: There is none.
    """
    stems = (name, name.replace("-idx", ".idx"))
    for candidate in (folder / f"{stem}{suffix}" for stem in stems for suffix in ("", ".gz")):
        if candidate.is_file():
            return candidate
    raise FileNotFoundError(
        f"{folder}: expected the file {name} or {name}.gz, or pictures in train/<class>/, found "
        f"none"
    )


def read_file(key: str, path: Path) -> NDArray[Any]:
    """Read a file that holds what `FORMATS` says of its key."""
    return read_idx(path, *file_format(key))


def file_format(key: str) -> tuple[tuple[int, ...], int]:
    """Return what `FORMATS` says of the file with this key, as `test_images`."""
    return FORMATS[key.rpartition("_")[2]]
