"""An extra test that nobody has tuned to: QMNIST's further digits, or somebody's own images."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import Field

from mnist_kedro.data.dataset_spec import FILES, PublishedFiles
from mnist_kedro.data.mirrors import download
from mnist_kedro.data.picture_folders import read_pictures
from mnist_kedro.data.sources import find_file, read_files
from mnist_kedro.formats.idx import IdxFormatError, idx_sha256, read_idx
from mnist_kedro.formats.mnist_format import SIDE
from mnist_kedro.lazy import np
from mnist_kedro.parameters import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from mnist_kedro.data.splits import Labelled


class Qmnist(PublishedFiles):
    """QMNIST's test digits: eight numbers each, of which the first is the label.

    Args:
        first: The first digit to take, counted from 0.
    """

    SOURCE = "final_training.extra_test"

    first: int = Field(ge=0)


class ExtraTest(NamedTuple):
    """Its name, images `uint8 (n, 28, 28)`, and labels `uint8 (n,)`."""

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
        source: `qmnist`, or a folder with QMNIST's two files, with two files like MNIST's test
            files, or with pictures in `test/<class>/`.
        qmnist: Names, checksums and mirrors of QMNIST's files.
        cache: Folder that keeps what was downloaded.
        class_names: Of the data set, in the order of its labels.

    Raises:
        DownloadError: No mirror gave a file.
        IdxFormatError: A file is damaged, or the two do not belong together.
        UserError: The folder or a file is missing, or has classes that the data set does not have.
    """
    name, folder = qmnist.name, Path(source).expanduser().resolve()
    if source == "qmnist":
        images, labels = _take_digits(download(qmnist, cache), qmnist.first, class_names)
    elif not folder.is_dir():
        raise UserError(
            f"expected 'extra_test' to be qmnist or a folder, found {source!r}, which is no folder"
        )
    elif (folder / "test").is_dir():
        return ExtraTest(folder.name, *read_pictures(folder / "test", class_names))
    elif any(folder.glob(f"{qmnist.files['test_images']}*")):
        files, official = read_files(folder, qmnist)
        images, labels = _take_digits(files, qmnist.first, class_names)
        name = name if official else folder.name
    else:
        images = read_idx(find_file(folder, FILES["test_images"]), (SIDE, SIDE))
        labels = read_idx(find_file(folder, FILES["test_labels"]))
        name = folder.name
    if len(images) != len(labels) or not len(labels):
        raise IdxFormatError(
            f"expected a label for each image of {name}, found {len(labels):,} labels and "
            f"{len(images):,} images"
        )
    if (highest := labels.max()) >= len(class_names):
        raise IdxFormatError(
            f"expected labels from 0 to {len(class_names) - 1} in {name}, found {highest}"
        )
    return ExtraTest(name, images, labels)


def _take_digits(
    files: Mapping[str, NDArray[Any]], first: int, class_names: Sequence[str]
) -> Labelled:
    """Take QMNIST's digits from `first` on, with the labels that the data set has for them."""
    digits = [str(digit) for digit in files["test_numbers"][first:, 0]]
    if missing := set(digits) - set(class_names):
        raise UserError(
            f"expected QMNIST's digits among the classes, {', '.join(class_names)}, found no "
            f"{', '.join(sorted(missing))}"
        )
    labels = np.array([class_names.index(digit) for digit in digits], np.uint8)
    return files["test_images"][first:], labels
