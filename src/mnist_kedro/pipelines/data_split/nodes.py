"""Choose which images train and which validate."""

from __future__ import annotations

import logging

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveInt

from mnist_kedro.lazy import pd
from mnist_kedro.parameters import Parameters

logger = logging.getLogger(__name__)


class DataSplitParameters(Parameters):
    """How many images take part, and which share of them validates."""

    sample_size: PositiveInt | None
    validation_fraction: float = Field(gt=0, lt=1)
    seed: int = Field(ge=0)


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
    from sklearn.model_selection import train_test_split

    available = len(train_labels)
    size = parameters.sample_size or available
    if size > available:
        logger.warning(
            "data_split.sample_size is %d, but there are %d images: taking all.", size, available
        )
        size = available
    n_validation = round(size * parameters.validation_fraction)
    classes = len(np.unique(train_labels))
    if min(n_validation, size - n_validation) < classes:
        raise ValueError(
            f"expected at least {classes} images to train and {classes} to validate, one per "
            f"class, found {size - n_validation} and {n_validation}: raise 'data_split.sample_size'"
        )
    train, validation = train_test_split(
        np.arange(available),
        train_size=size - n_validation,
        test_size=n_validation,
        stratify=train_labels,
        random_state=parameters.seed,
    )
    chosen = np.concatenate([train, validation])
    names = np.repeat(["train", "validation"], [len(train), len(validation)])
    splits = pd.DataFrame({"index": chosen, "label": train_labels[chosen], "split": names})
    return splits.sort_values("index", ignore_index=True)
