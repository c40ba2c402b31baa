"""Four verified arrays, from a folder or from scikit-learn's own digits (the web: `mirrors.py`)."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, NamedTuple

from mnist_kedro.formats.idx import INTEGER, UNSIGNED_BYTE, IdxFormatError, idx_sha256, read_idx
from mnist_kedro.formats.mnist_format import SIDE, bring_to_format
from mnist_kedro.lazy import np
from mnist_kedro.parameters import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from mnist_kedro.data.dataset_spec import DatasetSpec, PublishedFiles

FORMATS = {  # by the last word of a file's key: the shape of an item, and IDX's type
    "images": ((SIDE, SIDE), UNSIGNED_BYTE),
    "labels": ((), UNSIGNED_BYTE),
    "numbers": ((8,), INTEGER),  # QMNIST's, eight per image: the first is its label
}
GREY = 127  # between paper and ink
FULL = 16  # the darkest ink of scikit-learn's digits


class Arrays(NamedTuple):
    """Images `uint8 (n, 28, 28)`, 0 = paper, 255 = ink; labels `uint8 (n,)`, starting at 0."""

    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.uint8]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.uint8]


def load_folder(folder: Path, spec: DatasetSpec) -> tuple[Arrays, bool]:
    """Read the four IDX files of a folder; tell whether they are the published ones.

    Raises:
        UserError: The folder or a file in it is missing.
        IdxFormatError: A file is damaged, or the files do not belong together.
    """
    if not folder.is_dir():
        raise UserError(
            f"expected 'source' to be auto, mnist, embedded or a folder with the four IDX files or "
            f"with pictures in train/<class>/, found {str(folder)!r}, which is no folder"
        )
    arrays, official = read_files(folder, spec)
    return bring_to_order(Arrays(**arrays), folder, spec), official


def embedded_digits() -> Arrays:
    """Return scikit-learn's 1,797 real 8x8 digits in MNIST's format.

    The first four fifths, in the original order, are for training. That order goes from writer to
    writer, so most of the test digits were written by other people.
    Source: E. Alpaydin and C. Kaynak, https://doi.org/10.24432/C50P49.
    """
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = np.stack([bring_to_format(digit / FULL) for digit in digits.images])
    labels = digits.target.astype(np.uint8)
    n_train = len(labels) * 4 // 5
    return Arrays(images[:n_train], labels[:n_train], images[n_train:], labels[n_train:])


def bring_to_order(arrays: Arrays, folder: Path, spec: DatasetSpec) -> Arrays:
    """Check the arrays of a folder's files; make labels start at 0 and images stand upright.

    Raises:
        IdxFormatError: The files do not belong together, or are not as `spec` says.
    """
    labels_wanted = list(range(spec.first_label, spec.first_label + len(spec.class_names)))
    ordered = []
    for split in ("train", "test"):
        images, labels = getattr(arrays, f"{split}_images"), getattr(arrays, f"{split}_labels")
        images_file = folder / spec.files[f"{split}_images"]
        labels_file = folder / spec.files[f"{split}_labels"]
        if len(images) != len(labels):
            raise IdxFormatError(
                f"{labels_file}: expected a label for each of the {len(images):,} images in "
                f"{images_file}, found {len(labels):,} labels"
            )
        if (found := np.unique(labels).tolist()) != labels_wanted:
            raise IdxFormatError(
                f"{labels_file}: expected all labels from {labels_wanted[0]} to "
                f"{labels_wanted[-1]} and no other, found {found}"
            )
        lowest, highest = images.min(), images.max()
        if lowest > GREY or highest <= GREY:
            raise IdxFormatError(
                f"{images_file}: expected pixels from 0 (paper) to 255 (ink), found only values "
                f"from {lowest} to {highest}"
            )
        if spec.transposed:
            images = np.ascontiguousarray(images.transpose(0, 2, 1))
        ordered += [images, labels - spec.first_label]
    return Arrays(*ordered)


def verify_data(sha256: Mapping[str, str], **arrays: NDArray[np.uint8]) -> None:
    """Check that arrays, named as in `FILES`, have these checksums, or raise a `UserError`."""
    for key, array in arrays.items():
        if (found := idx_sha256(array)) != sha256[key]:
            raise UserError(
                f"expected {key} to be the data of the stages before, with the sha256 "
                f"{sha256[key]}, found {found}: run `kedro run` from the start, or load versions "
                f"that belong together"
            )


def read_files(folder: Path, published: PublishedFiles) -> tuple[dict[str, NDArray[Any]], bool]:
    """Return the array of each file in a folder, and whether all have the published checksums."""
    arrays, official = {}, True
    for key, name in published.files.items():
        arrays[key], is_published = read_file(key, find_file(folder, name), published)
        official = official and is_published
    return arrays, official


def find_file(folder: Path, name: str) -> Path:
    """Return the path of a file, named with or without `.gz`, `-idx3-ubyte` or `.idx3-ubyte`."""
    stems = (name, name.replace("-idx", ".idx"))
    for candidate in (folder / f"{stem}{suffix}" for stem in stems for suffix in ("", ".gz")):
        if candidate.is_file():
            return candidate
    raise UserError(f"{folder}: expected the file {name} or {name}.gz, or pictures, found none")


def read_file(key: str, path: Path, published: PublishedFiles) -> tuple[NDArray[Any], bool]:
    """Read the IDX file with this key, such as `test_images`; tell whether it is the published one.

    Mirrors compress anew; yet of some data sets only the compressed files' checksums are published.
    """
    array = read_idx(path, *FORMATS[key.rpartition("_")[2]])
    with path.open("rb") as file:
        found = idx_sha256(array), hashlib.file_digest(file, "sha256").hexdigest()
    return array, published.sha256[key] in found
