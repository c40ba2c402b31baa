"""An extra test, to which nobody has tuned: QMNIST's further digits, or somebody's own images."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import numpy as np
from pydantic import Field

from mnist_kedro.data.descriptions import FILES, FileName, Published, Sha256
from mnist_kedro.data.labelled_pictures import read_split
from mnist_kedro.data.mirrors import fetch
from mnist_kedro.data.sources import find_file, has_sha256, read_file
from mnist_kedro.formats.idx import IdxFormatError, idx_sha256

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray

TEST = ("test_images", "test_labels")  # of `FILES`
QmnistKey = Literal["test_images", "test_numbers"]


class Qmnist(Published):
    """QMNIST's test digits, of which the label is the first of eight numbers.

    Args:
        first: The first one that is taken, counted from 0.
        files: Names of both, without `.gz`.
        sha256: Of both.
    """

    BY_HAND = "final_training.extra_test"

    first: int = Field(ge=0)
    files: Annotated[dict[QmnistKey, FileName], Field(min_length=2)]
    sha256: Annotated[dict[QmnistKey, Sha256], Field(min_length=2)]

    def file_names(self) -> dict[str, str]:
        """Return the name of each file."""
        return {str(key): name for key, name in self.files.items()}

    def checksums(self) -> dict[str, str]:
        """Return the sha256 of each file."""
        return {str(key): value for key, value in self.sha256.items()}


class ExtraTest(NamedTuple):
    """What it is called, images `uint8 (n, 28, 28)`, and labels `uint8 (n,)`."""

    name: str
    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]

    def sha256(self) -> str:
        """Return one checksum, in hex, of images and labels."""
        both = idx_sha256(self.images) + idx_sha256(self.labels)
        return hashlib.sha256(both.encode()).hexdigest()


def load_extra_test(
    source: str, qmnist: Qmnist, cache: Path, class_names: Sequence[str]
) -> ExtraTest:
    """Load an extra test.

    Args:
        source: `qmnist`, or a folder with its two files, with two like MNIST's test files, or with
            pictures in `test/<class>/`.
        qmnist: Where its files are from.
        cache: Folder that keeps them.
        class_names: Of the data set, in the order of its labels.

    Raises:
        DownloadError: No mirror gave the files.
        FileNotFoundError: The folder or a file in it is missing.
        IdxFormatError: A file is damaged, or the two do not belong together.
        ValueError: It has classes that the data set does not have, or pictures cannot be read.
    """
    if source == "qmnist":
        files = fetch(qmnist, cache)
        return _take_digits(qmnist.name, files, qmnist.first, class_names)
    folder = Path(source).expanduser().resolve()
    if not folder.is_dir():
        raise FileNotFoundError(
            f"expected 'extra_test' to be qmnist or a folder, found {source!r}, which is no folder"
        )
    if (folder / "test").is_dir():
        return ExtraTest(folder.name, *read_split(folder / "test", class_names))
    if any(folder.glob(f"{qmnist.files['test_images']}*")):
        return _read_qmnist(folder, qmnist, class_names)
    images, labels = (read_file(key, find_file(folder, FILES[key])) for key in TEST)
    return _checked(ExtraTest(folder.name, images, labels), len(class_names))


def _read_qmnist(folder: Path, qmnist: Qmnist, class_names: Sequence[str]) -> ExtraTest:
    """Read its two files, or two like them, which then have the folder's name."""
    paths = {key: find_file(folder, name) for key, name in qmnist.file_names().items()}
    files = {key: read_file(key, path) for key, path in paths.items()}
    sha256 = qmnist.checksums()
    official = all(has_sha256(path, files[key], sha256[key]) for key, path in paths.items())
    name = qmnist.name if official else folder.name
    return _take_digits(name, files, qmnist.first, class_names)


def _take_digits(
    name: str, files: dict[str, NDArray[Any]], first: int, class_names: Sequence[str]
) -> ExtraTest:
    """Return QMNIST's digits from the first one wanted on, with the labels of the data set."""
    digits = files["test_numbers"][first:, 0]
    found = [str(digit) for digit in np.unique(digits)]
    if missing := set(found) - set(class_names):
        raise ValueError(
            f"expected the digits of {name} among the classes, {', '.join(class_names)}, found no "
            f"{', '.join(sorted(missing))}"
        )
    labels = np.array([class_names.index(str(digit)) for digit in digits.tolist()], np.uint8)
    return _checked(ExtraTest(name, files["test_images"][first:], labels), len(class_names))


def _checked(test: ExtraTest, classes: int) -> ExtraTest:
    if len(test.images) != len(test.labels) or not len(test.labels):
        raise IdxFormatError(
            f"expected a label for each image of {test.name}, found {len(test.labels):,} labels "
            f"and {len(test.images):,} images"
        )
    if (highest := test.labels.max()) >= classes:
        raise IdxFormatError(
            f"expected labels from 0 to {classes - 1} in {test.name}, found {highest}"
        )
    return test
