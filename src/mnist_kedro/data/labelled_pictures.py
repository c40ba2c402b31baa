"""Somebody's own pictures, `train/<class>/` and `test/<class>/`, as images in MNIST's format."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mnist_kedro.data.descriptions import MOST_CLASSES
from mnist_kedro.data.sources import Arrays

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

NAMED = 20  # pictures that are warned of; of more, only the number is told
TEST_SHARE = 0.2  # of each class, kept for the test where there is no folder `test`
FEWEST = 5  # pictures of a class of which a fifth can be kept

logger = logging.getLogger(__name__)


class Pictures(NamedTuple):
    """Images `uint8 (n, 28, 28)` and their labels `uint8 (n,)`."""

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]


def has_pictures(folder: Path) -> bool:
    """Tell whether a folder is one of labelled pictures."""
    return (folder / "train").is_dir()


def class_folders(folder: Path) -> list[str]:
    """Return the names of the classes, sorted: those of the folders in `train`.

    Raises:
        ValueError: There are fewer than two, or more than a label of one byte can tell apart,
            `test` has others, or a name cannot be printed.
    """
    names = _folders(folder / "train")
    if not 1 < len(names) <= MOST_CLASSES:
        raise ValueError(
            f"{folder / 'train'}: expected 2 to {MOST_CLASSES} folders, one for each class, found "
            f"{len(names)}"
        )
    if (test := folder / "test").is_dir() and (found := _folders(test)) != names:
        raise ValueError(
            f"{test}: expected a folder for each class in 'train', found differences: "
            f"{', '.join(sorted(set(found).symmetric_difference(names)))}"
        )
    return names


def load_pictures(folder: Path, class_names: Sequence[str]) -> Arrays:
    """Read the pictures of a folder; those that cannot be read are left out, with a warning.

    Without a folder `test`, a fifth of each class is kept for the test.

    Args:
        folder: With the folders that `class_folders` names, or some of them.
        class_names: In the order of the labels.

    Raises:
        ValueError: A class has no picture that can be read, or too few to keep a fifth of them.
    """
    train = read_split(folder / "train", class_names)
    if (folder / "test").is_dir():
        return Arrays(*train, *read_split(folder / "test", class_names))
    from sklearn.model_selection import train_test_split

    counts = np.bincount(train.labels)
    if (few := counts[counts > 0].min()) < FEWEST:
        raise ValueError(
            f"{folder}: expected a folder 'test', or {FEWEST} pictures and more of each class so "
            f"that a fifth of them can be kept for the test, found a class of {few}"
        )
    kept = train_test_split(*train, test_size=TEST_SHARE, stratify=train.labels, random_state=0)
    images, test_images, labels, test_labels = kept
    logger.warning(
        "%s HAS NO FOLDER 'test': %d of its %d pictures, a fifth of each class, are kept for the "
        "test. Pictures of other people would say more.",
        *(folder, len(test_labels), len(train.labels)),
    )
    return Arrays(images, labels, test_images, test_labels)


def read_split(folder: Path, class_names: Sequence[str]) -> Pictures:
    """Read the pictures of each class; classes without a folder have none.

    Raises:
        FileNotFoundError: There is no such folder.
        ValueError: It has no classes, or others, or one without a picture that can be read.
    """
    from mnist_kedro.images.image_files import find_pictures, see_all

    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: expected folders of pictures in it, found no such one")
    images, labels, warnings = [], [], []
    names = _folders(folder)
    if not names or not set(names) <= set(class_names):
        raise ValueError(
            f"{folder}: expected folders named as classes, {', '.join(class_names)}, found "
            f"{', '.join(names) or 'none'}"
        )
    for name in names:
        pictures = list(find_pictures(folder / name))
        seen = see_all(pictures)
        read = [image for image, _ in seen if image is not None]
        warnings += [
            f"{'Left out' if image is None else 'Doubtful:'} {folder / name / picture.name}: {why}"
            for picture, (image, why) in zip(pictures, seen, strict=True)
            if why
        ]
        if not read:
            raise ValueError(
                f"{folder / name}: expected pictures, found none that can be read among "
                f"{len(pictures)}"
            )
        images += read
        labels += [class_names.index(name)] * len(read)
    _warn_of(warnings)
    return Pictures(np.stack(images), np.array(labels, np.uint8))


def _warn_of(sentences: Sequence[str]) -> None:
    for sentence in sentences[:NAMED]:
        logger.warning("%s", sentence)
    if len(sentences) > NAMED:
        logger.warning("The same goes for %d more pictures.", len(sentences) - NAMED)


def _folders(folder: Path) -> list[str]:
    """Return the names of classes, in order; if all are numbers, in that of the numbers."""
    names = [each.name for each in folder.iterdir() if each.is_dir() and each.name[0] != "."]
    return sorted(names, key=int) if all(map(str.isdecimal, names)) else sorted(names)
