"""Figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mnist_kedro.lazy import Figure

if TYPE_CHECKING:
    from numpy.typing import NDArray


def plot_sample_grid(
    images: NDArray[np.uint8], labels: NDArray[np.uint8], per_class: int, title: str
) -> Figure:
    """Draw the first `per_class` images of each class, a row per class.

    Args:
        images: `uint8 (n, 28, 28)`, 0 = paper, 255 = ink.
        labels: `uint8 (n,)`.
        per_class: Images per row; fewer are drawn where a class has fewer.
        title: Stands above.
    """
    from matplotlib.figure import Figure

    classes = np.unique(labels)
    _, height, width = images.shape
    grid = np.zeros((len(classes) * height, per_class * width), dtype=np.uint8)
    for row, name in enumerate(classes):
        chosen = images[np.flatnonzero(labels == name)[:per_class]]
        strip = chosen.transpose(1, 0, 2).reshape(height, -1)  # side by side
        grid[row * height : (row + 1) * height, : strip.shape[1]] = strip
    figure = Figure(figsize=(per_class * 0.6, len(classes) * 0.6 + 0.4), layout="constrained")
    axes = figure.subplots()
    axes.imshow(grid, cmap="gray_r", interpolation="nearest")
    axes.set_yticks(
        height * (np.arange(len(classes)) + 0.5), labels=[str(name) for name in classes]
    )
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_title(title)
    return figure
