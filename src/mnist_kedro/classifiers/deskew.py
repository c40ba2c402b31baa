"""Digits set upright and brought to one size, so that a classifier need not learn each slant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, TransformerMixin

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sklearn.utils import Tags

# Standard deviation of the ink, as a part of the image's height and width: MNIST's averages.
TALL, WIDE = 0.195, 0.122
THIN = 0.25  # variance in square pixels; what has less is a line or a dot, and stays as thin
# Images at once: so few that PyTorch uses one thread, and need not wait for others.
BATCH = 32


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
        for first in range(0, len(images), BATCH):
            batch = slice(first, first + BATCH)
            changed[batch] = self.transform_tensor(torch.tensor(images[batch])).numpy()
        return changed

    def transform_tensor(self, images: torch.Tensor) -> torch.Tensor:
        """Do the same with a tensor. The ONNX export traces this."""
        pixels = images.double()  # exact sums, so each library and batch gives the same images
        return _interpolate(pixels, *_places(pixels))

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.three_d_array = True
        return tags


def _places(pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the row, `(n, height, 1)`, and column, `(n, height, width)`, each pixel comes from."""
    height, width = map(int, pixels.shape[1:])  # in the ONNX export, sizes would be `float32`
    rows = torch.arange(height, dtype=torch.float64)[:, None]
    columns = torch.arange(width, dtype=torch.float64)
    ink = pixels.sum(dim=(1, 2), keepdim=True).clamp(min=1)
    row, column, row_row, row_column, column_column = (
        (pixels * powers).sum(dim=(1, 2), keepdim=True) / ink
        for powers in (rows, columns, rows * rows, rows * columns, columns * columns)
    )
    variance = row_row - row * row
    slant = (row_column - row * column) / variance.clamp(min=THIN)
    slant = torch.where(variance > THIN, slant, 0)
    leaning = column_column - column * column - slant * slant * variance
    down = _scale(variance, TALL * height) * (rows - (height - 1) / 2)
    right = _scale(leaning, WIDE * width) * (columns - (width - 1) / 2)
    return row + down, column + slant * down + right


def _scale(variance: torch.Tensor, standard_deviation: float) -> torch.Tensor:
    """Return how much larger the ink is than an average digit's; 1 where it is a line or a dot."""
    # A plain number would lose half of its digits in the ONNX export.
    average = torch.tensor(standard_deviation, dtype=torch.float64)
    return torch.where(variance > THIN, variance.abs().sqrt() / average, 1)


def _interpolate(pixels: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    """Return the images' values at these places, `uint8 (n, height, width)`; outside they are 0.

    For each image the same to the bit as `scipy.ndimage.map_coordinates` with `order=1`.
    """
    height, width = pixels.shape[1:]
    top, left = rows.clamp(0, height - 2).long(), columns.clamp(0, width - 2).long()
    first, flat = (width * top + left).flatten(1), pixels.flatten(1)
    steps = (0, 1, width, width + 1)  # to the four pixels around a place
    corners = [flat.gather(1, first + step).view_as(pixels) for step in steps]
    down, right = rows - top, columns - left
    upper = corners[0] * (1 - right) + corners[1] * right
    lower = corners[2] * (1 - right) + corners[3] * right
    values = upper * (1 - down) + lower * down
    inside = (rows >= 0) & (rows <= height - 1) & (columns >= 0) & (columns <= width - 1)
    return torch.where(inside, values + 0.5, 0).to(torch.uint8)
