"""Choose which images train and which validate."""

from __future__ import annotations

import logging
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from mnist_kedro.lazy import pd
from mnist_kedro.parameters import Parameters

Labels = NDArray[np.uint8]

logger = logging.getLogger(__name__)


class DataSplitParameters(Parameters):
    """How many images take part, which share of them validates, and in how many folds."""

    sample_size: Annotated[int, Field(strict=True, gt=0)] | None
    validation_fraction: float = Field(gt=0, lt=1)
    seed: int = Field(ge=0)
    folds: Annotated[int, Field(strict=True, ge=2)] | None = None


def split_images(train_labels: NDArray[np.uint8], parameters: DataSplitParameters) -> pd.DataFrame:
    """Draw a sample of the training images and split it, each class by the same shares.

    Args:
        train_labels: `uint8 (n,)`.
        parameters: Size of the sample (`None`: all), share of it that validates, seed.

    Returns:
        A row per chosen image: `index` into the training images, ascending; `label`; and `split`,
        which is `train` or `validation`.

    Raises:
        ValueError: A split is too small to have every class.
    """
    available = len(train_labels)
    size = parameters.sample_size or available
    if size > available:
        logger.warning(
            "data_split.sample_size is %d, but there are %d images: taking all.", size, available
        )
        size = available
    n_validation = round(size * parameters.validation_fraction)
    sizes = (size - n_validation, n_validation)
    train, validation = _draw(train_labels, sizes, parameters.seed)
    chosen = np.concatenate([train, validation])
    # Not a text per image.
    names = pd.Categorical.from_codes(np.repeat([0, 1], sizes), pd.Index(["train", "validation"]))
    splits = pd.DataFrame({"index": chosen, "label": train_labels[chosen], "split": names})
    return splits.sort_values("index", ignore_index=True)


def split_folds(splits: pd.DataFrame, parameters: DataSplitParameters) -> list[pd.DataFrame]:
    """Split the same sample into folds, each class by equal shares.

    Args:
        splits: Rows of `index`, `label`, `split`, of which the last is not read.
        parameters: Number of folds, seed.

    Returns:
        A table like `splits` per fold: its images have the split `validation`, all others `train`.

    Raises:
        ValueError: A class has fewer images than there are folds.
    """
    from sklearn.model_selection import StratifiedKFold

    fewest = splits["label"].value_counts().min()
    if parameters.folds is None or fewest < parameters.folds:
        raise ValueError(
            f"expected 'data_split.folds' of 2 to {fewest}, the number of images of the rarest "
            f"class, found {parameters.folds}: choose fewer, or raise 'data_split.sample_size'"
        )
    folds = StratifiedKFold(parameters.folds, shuffle=True, random_state=parameters.seed)
    return [
        splits.assign(split=np.where(splits.index.isin(rows), "validation", "train"))
        for _, rows in folds.split(splits, splits["label"])
    ]


def count_splits(splits: pd.DataFrame) -> pd.DataFrame:
    """Count the images of each split.

    Args:
        splits: Rows of `index`, `label`, `split`.

    Returns:
        A row per split: `split`, `images`, and a column per class, with its number of images.
    """
    counts = pd.crosstab(splits["split"], splits["label"]).rename(columns=str)
    counts.insert(0, "images", counts.sum(axis="columns"))
    return counts.rename_axis(columns=None).reset_index()


def _draw(labels: Labels, sizes: tuple[int, int], seed: int) -> list[NDArray[np.intp]]:
    """Return the indices of two samples of these sizes, with each class in both."""
    from sklearn.model_selection import train_test_split

    classes = len(np.unique(labels))
    train_size, test_size = sizes
    samples = []
    if min(sizes) >= classes:
        samples = train_test_split(
            np.arange(len(labels)),
            train_size=train_size,
            test_size=test_size,
            stratify=labels,
            random_state=seed,
        )
    if not samples or any(len(np.unique(labels[sample])) < classes for sample in samples):
        raise ValueError(
            f"expected each of {classes} classes among the images that train and among those that "
            f"validate, found {train_size} and {test_size} images, too few for that: raise "
            f"'data_split.sample_size'"
        )
    return list(samples)
