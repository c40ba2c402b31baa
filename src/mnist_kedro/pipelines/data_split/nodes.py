"""Choose which images train and which validate."""

from __future__ import annotations

import logging
from typing import Annotated

from pydantic import Field

from mnist_kedro.lazy import NDArray, np, pd
from mnist_kedro.parameters import Parameters, UserError

logger = logging.getLogger(__name__)


class DataSplitParameters(Parameters):
    """How many images take part, and which share of them validates."""

    sample_size: Annotated[int, Field(strict=True, gt=0)] | None
    validation_fraction: float = Field(gt=0, lt=1)
    seed: int = Field(ge=0)


def split_images(train_labels: NDArray[np.uint8], parameters: DataSplitParameters) -> pd.DataFrame:
    """Draw a sample of the training images and split it, each class by the same shares.

    Args:
        train_labels: `uint8 (n,)`.
        parameters: Size of the sample (`None`: all), share of it that validates, seed.

    Returns:
        A row per chosen image: `index` (ascending), `label`, and `split`, `train` or `validation`.

    Raises:
        UserError: A split is too small to have every class.
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
    chosen = np.concatenate(_draw(train_labels, *sizes, parameters.seed))
    # Categories, because a text per image would fill the memory.
    names = pd.Categorical.from_codes(np.repeat([0, 1], sizes), pd.Index(["train", "validation"]))
    splits = pd.DataFrame({"index": chosen, "label": train_labels[chosen], "split": names})
    return splits.sort_values("index", ignore_index=True)


def _draw(
    labels: NDArray[np.uint8], train: int, validation: int, seed: int
) -> list[NDArray[np.intp]]:
    """Return the indices of two samples of these sizes, with each class in both."""
    from sklearn.model_selection import train_test_split

    classes, images = np.unique(labels, return_counts=True)
    if min(train, validation) >= len(classes) and images.min() > 1:
        sizes = {"train_size": train, "test_size": validation}
        samples: list[NDArray[np.intp]] = train_test_split(
            np.arange(len(labels)), **sizes, stratify=labels, random_state=seed
        )
        if all(len(np.unique(labels[sample])) == len(classes) for sample in samples):
            return samples
    raise UserError(
        f"expected each of {len(classes)} classes among the images that train and among those that "
        f"validate, found {train} and {validation} images, too few for that: raise "
        f"'data_split.sample_size'"
    )
