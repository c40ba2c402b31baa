"""Somebody's own pictures, `train/<class>/` and `test/<class>/`, as images in MNIST's format."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from mnist_kedro.data.dataset_spec import MAX_CLASSES
from mnist_kedro.data.sources import Arrays
from mnist_kedro.lazy import np
from mnist_kedro.parameters import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mnist_kedro.data.splits import Labelled

MAX_WARNINGS = 20
FEWEST = 5  # pictures of a class of which a fifth can become the test set

logger = logging.getLogger(__name__)


def load_pictures(folder: Path) -> tuple[Arrays, tuple[str, ...]]:
    """Read the pictures in `train/<class>/` and `test/<class>/`.

    Without a folder `test`, a fifth of each class becomes the test set.

    Returns:
        The arrays, and the names of the classes in the order of the labels.

    Raises:
        UserError: There are fewer than two classes or too many, `test` has other classes, or a
            class has no picture that can be read, or too few for a test set.
    """
    train, test = folder / "train", folder / "test"
    class_names = _class_folders(train)
    if not 1 < len(class_names) <= MAX_CLASSES:
        raise UserError(
            f"{train}: expected 2 to {MAX_CLASSES} folders, one for each class, found "
            f"{len(class_names)}"
        )
    if test.is_dir() and (differences := set(_class_folders(test)) ^ set(class_names)):
        raise UserError(
            f"{test}: expected a folder for each class in 'train', found differences: "
            f"{', '.join(sorted(differences))}"
        )
    images, labels = read_pictures(train, class_names)
    if test.is_dir():
        return Arrays(images, labels, *read_pictures(test, class_names)), class_names
    return _split(images, labels, folder), class_names


def read_pictures(folder: Path, class_names: Sequence[str]) -> Labelled:
    """Read the pictures in `<class>/`; not every class needs to have a folder.

    Pictures that cannot be read are left out, with a warning.

    Args:
        folder: With the folders of the classes.
        class_names: In the order of the labels.

    Returns:
        Images `uint8 (n, 28, 28)` and labels `uint8 (n,)`.

    Raises:
        UserError: There is no such folder, none of a class or one of an unknown class, or a class
            has no picture that can be read.
    """
    from mnist_kedro.images.image_files import find_pictures, see_all

    names = _class_folders(folder) if folder.is_dir() else ()
    if not names or not set(names) <= set(class_names):
        raise UserError(
            f"{folder}: expected folders named as classes, {', '.join(class_names)}, found "
            f"{', '.join(names) or 'none'}"
        )
    images, labels, warnings = [], [], []
    for name in names:
        pictures = list(find_pictures(folder / name))
        for picture, (image, warning) in zip(pictures, see_all(pictures), strict=True):
            if image is not None:
                images.append(image)
                labels.append(class_names.index(name))
            if warning:
                what = "Left out" if image is None else "Doubtful:"
                warnings.append(f"{what} {folder / name / picture.name}: {warning}")
        if class_names.index(name) not in labels:
            raise UserError(
                f"{folder / name}: expected pictures, found none that can be read among "
                f"{len(pictures)}"
            )
    for warning in warnings[:MAX_WARNINGS]:
        logger.warning("%s", warning)
    if len(warnings) > MAX_WARNINGS:
        logger.warning("The same goes for %d more pictures.", len(warnings) - MAX_WARNINGS)
    return np.stack(images), np.array(labels, np.uint8)


def _split(images: np.ndarray, labels: np.ndarray, folder: Path) -> Arrays:
    """Move a fifth of each class to the test set."""
    from sklearn.model_selection import train_test_split

    if (fewest := np.unique_counts(labels).counts.min()) < FEWEST:
        raise UserError(
            f"{folder}: expected a folder 'test', or at least {FEWEST} pictures of each class, of "
            f"which a fifth becomes the test set, found a class of {fewest}"
        )
    train_images, test_images, train_labels, test_labels = train_test_split(
        images, labels, test_size=1 / FEWEST, stratify=labels, random_state=0
    )
    logger.warning(
        "%s HAS NO FOLDER 'test': %d of its %d pictures, a fifth of each class, become the test "
        "set. Pictures of other people would say more.",
        *(folder, len(test_labels), len(labels)),
    )
    return Arrays(train_images, train_labels, test_images, test_labels)


def _class_folders(folder: Path) -> tuple[str, ...]:
    """Return the names of the folders in order: that of the numbers if all names are numbers."""
    names = [each.name for each in folder.iterdir() if each.is_dir() and each.name[0] != "."]
    return tuple(sorted(names, key=int if all(map(str.isdecimal, names)) else None))
