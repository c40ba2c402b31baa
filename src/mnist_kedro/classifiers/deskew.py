"""Digits set upright and brought to one size, so that a classifier need not learn every hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np
from scipy.ndimage import affine_transform
from sklearn.base import BaseEstimator, TransformerMixin

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sklearn.utils import Tags

# Standard deviation of the ink, as a part of the image's height and width: MNIST's averages.
TALL, WIDE = 0.195, 0.122
THIN = 0.25  # variance in square pixels; what has less is a line or a dot, and stays as thin


class Deskew(TransformerMixin, BaseEstimator):
    """Shears, scales and moves each image so that its ink has the same moments as all others'.

    The ink's centre comes to the middle, what leans to the side stands upright, and height and
    width become those of an average digit. Casey, 1970, "Moment normalization of handprinted
    characters" (doi:10.1147/rd.145.0548). It learns nothing.
    """

    def fit(self, images: NDArray[np.uint8], labels: object = None) -> Self:  # noqa: ARG002
        """Do nothing: there is nothing to learn."""
        return self

    def transform(self, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the changed images, `uint8 (n, height, width)`, bilinearly interpolated."""
        changed = np.empty_like(images)
        middle = (np.array(images.shape[1:]) - 1) / 2
        for image, matrix, centre, target in zip(images, *_moments(images), changed, strict=True):
            # Each pixel takes its value from `matrix @ place + offset`.
            affine_transform(image, matrix, centre - matrix @ middle, output=target, order=1)
        return changed

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.three_d_array = True
        return tags


def _moments(images: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return per image how its ink is spread, `(n, 2, 2)`, and its centre, `(n, 2)`: row, column.

    The matrix brings an average digit to this one's slant and size.
    """
    n, height, width = images.shape
    rows, columns = np.arange(height), np.arange(width)
    by_row, by_column = images.sum(axis=2, dtype=float), images.sum(axis=1, dtype=float)
    ink = by_row.sum(axis=1)
    blank = ink == 0
    ink[blank] = 1
    row, column = by_row @ rows / ink, by_column @ columns / ink
    row[blank], column[blank] = (height - 1) / 2, (width - 1) / 2
    products = np.einsum("nrc,c->nr", images, columns, dtype=float) @ rows / ink
    variance = by_row @ rows**2 / ink - row**2
    slant = _where(variance, (products - row * column) / np.maximum(variance, THIN), 0)
    leaning = by_column @ columns**2 / ink - column**2 - slant**2 * variance
    matrix = np.zeros((n, 2, 2))
    matrix[:, 0, 0] = _where(variance, np.sqrt(np.abs(variance)) / (TALL * height), 1)
    matrix[:, 1, 0] = slant * matrix[:, 0, 0]
    matrix[:, 1, 1] = _where(leaning, np.sqrt(np.abs(leaning)) / (WIDE * width), 1)
    return matrix, np.stack([row, column], axis=1)


def _where(
    variance: NDArray[np.float64], value: NDArray[np.float64], otherwise: float
) -> NDArray[np.float64]:
    """Return the value where the ink is spread enough to have one."""
    return np.where(variance > THIN, value, otherwise)
