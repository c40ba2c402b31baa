"""From grey values to ink, without the paper, the light on it, and its ruled lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from mnist_kedro.formats.pictures import WHITE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

DARK = 32  # grey value: darker paper is too dark to divide by
CELLS = 40  # along the longer side of the coarse picture in which the paper is sought
ROUNDING = 1  # grey values
DARKEST = 0.4  # of the paper's brightness: shadows are lighter, and what is darker is ink
STROKE = 17  # cells: wider than strokes, narrower than shadows
FAINTEST = 0.1  # of the paper's brightness: fainter ink does not count
GRAINS = 5  # standard deviations of the paper's grain: ink stands out from it by at least so much
SLOPES = np.tan(np.radians(np.arange(-4, 4.1, 0.25)))  # of ruled lines
RULED = 0.8  # of the picture's width: a ruled line covers at least so much
FINE = 0.02  # of the longer side: ruled lines are no wider, strokes of large digits are
LEVELS = 64  # of ink, among which the threshold is sought
LINK = np.ones((3, 3))  # pixels that touch at a corner belong together


def find_ink(grey: Floats) -> Floats:
    """Find the ink in a picture, whatever the paper, the light and the shadows are.

    Args:
        grey: `(height, width)`, 0-255: dark ink on light paper, or light ink on dark paper.

    Returns:
        Amount of ink, `(height, width)`, 0-1; all 0 for a blank picture. Much fainter marks than
        the rest, such as the ruled lines of most paper, do not count as ink.
    """
    contrast = _contrast(grey)
    floor = max(FAINTEST, GRAINS * _grain(contrast))
    contrast = _drop_rulings(contrast, floor)
    threshold = max(_otsu(contrast[contrast > floor]), floor)
    strong, faint = contrast > threshold, max(threshold / 2, floor)
    if not strong.any():
        return np.zeros_like(contrast)
    # Faint ink counts where it touches strong ink: at the edges of strokes.
    parts, _ = ndimage.label(contrast > faint, LINK)
    is_ink = np.isin(parts, np.unique(parts[strong]))
    around = ndimage.binary_dilation(is_ink, LINK)
    full = np.median(contrast[strong])
    ink: Floats = around * np.clip((contrast - faint / 2) / (full - faint / 2), 0, 1)
    return ink


def stroke_width(mask: NDArray[np.bool_]) -> float:
    """Return the median width of the strokes in a mask, measured along their middles; 0 if none."""
    depth = ndimage.distance_transform_edt(np.pad(mask, 1))
    middle = (depth > 0) & (depth == ndimage.maximum_filter(depth, 3))
    # The middle of a stroke of one pixel is 1 deep, that of one of three pixels 2.
    return 2 * float(np.median(depth[middle])) - 1 if middle.any() else 0.0


def _contrast(grey: Floats) -> Floats:
    """Return how much each pixel differs from the paper, as a share of its brightness."""
    size = _cell_size(grey)
    light = _fit_light(grey)
    if _is_light_on_dark((grey - light)[::size, ::size]):
        grey, light = WHITE - grey, WHITE - light
    flat = grey / np.maximum(light, DARK)
    # The brightest pixel in and around a cell is paper.
    brightest = ndimage.maximum_filter(ndimage.uniform_filter(flat, 3), size)
    coarse = brightest[size // 2 :: size, size // 2 :: size]
    coarse = ndimage.gaussian_filter(ndimage.grey_closing(coarse, (STROKE, STROKE)), 1)
    zoom = np.divide(grey.shape, coarse.shape)
    paper = ndimage.zoom(coarse, zoom, order=1, mode="nearest", grid_mode=True)
    contrast: Floats = 1 - flat / np.maximum(paper, DARKEST)
    return contrast - np.median(contrast)


def _cell_size(grey: Floats) -> int:
    """Return how many pixels a cell is wide; at least two cells fit into the shorter side."""
    height, width = grey.shape
    return int(max(min(max(height, width) // CELLS, min(height, width) // 2), 1))


def _is_light_on_dark(differences: Floats) -> bool:
    """Return whether most of what differs from the paper is lighter than the paper."""
    differs = np.abs(differences) > max(4 * np.median(np.abs(differences)), ROUNDING)
    parts, _ = ndimage.label(differs, LINK)
    edges = np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]])
    inner = np.where(differs & ~np.isin(parts, edges), differences, 0) ** 3
    total = np.where(differs, differences, 0) ** 3
    # Marks at an edge are shadows, unless there is hardly anything else.
    chosen = inner if np.abs(inner).sum() > np.abs(total).sum() / 10 else total
    return bool(chosen.sum() > 0)


def _fit_light(grey: Floats) -> Floats:
    """Return the light on the paper: a parabolic surface fitted to most of the picture."""
    sides = (np.linspace(-1, 1, n, dtype=np.float32) for n in grey.shape)
    y, x = np.meshgrid(*sides, indexing="ij")
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)
    step = _cell_size(grey)
    places, values = terms[::step, ::step].reshape(-1, 6), grey[::step, ::step].ravel()
    rest = np.abs(values - np.median(values))
    for count in (3, 3, 6, 6):  # a plane at first: a large digit would bend the surface
        kept = rest <= 3 * np.median(rest)
        weights = np.linalg.lstsq(places[kept, :count], values[kept], rcond=None)[0]
        rest = np.abs(values - places[:, :count] @ weights)
    light: Floats = terms @ weights
    return light


def _grain(contrast: Floats) -> float:
    """Return the standard deviation of the paper's grain, not influenced by ink and shadows."""
    size = _cell_size(contrast)
    differences = np.abs(contrast[:, size:] - contrast[:, :-size])  # mostly of paper and paper
    return 1.4826 / 2**0.5 * float(np.median(differences))


def _otsu(values: Floats) -> float:
    """Return the threshold that best separates values of 0-1 into two groups; 1 if there are none.

    Otsu, 1979, "A threshold selection method from gray-level histograms".
    """
    counts, edges = np.histogram(values, LEVELS, range=(0, 1))
    below, sums = counts.cumsum()[:-1], (counts * edges[1:]).cumsum()
    above = len(values) - below
    gap = (sums[-1] - sums[:-1]) / np.maximum(above, 1) - sums[:-1] / np.maximum(below, 1)
    between = below * above * gap**2
    return float(edges[1 + between.argmax()]) if len(values) else 1.0


def _drop_rulings(ink: Floats, floor: float) -> Floats:
    """Remove the fine straight lines of ruled or squared paper, but not the ink across them."""
    widest = FINE * max(ink.shape)
    if widest < 1:
        return ink
    for _ in range(2):  # lines along the rows, then those along the columns
        height, width = ink.shape
        mask = ink > floor
        mask[1:] |= mask[:-1]  # a line may drift between two rows
        rows, columns = np.nonzero(mask)
        drift = np.rint(SLOPES[:, None] * (np.arange(width) - width / 2)).astype(int)
        reach = int(np.abs(drift).max())
        levels = rows - drift[:, columns] + reach  # of the line of each slope through each pixel
        covered = np.stack([np.bincount(level, minlength=height + 2 * reach) for level in levels])
        covered[covered <= RULED * width] = 0
        best = covered.sum(axis=1).argmax()
        lines, _ = ndimage.label(covered[best])
        for (line,) in ndimage.find_objects(lines):
            if line.stop - line.start - 1 <= widest:
                ink = _without_line(ink, line.start - reach, line.stop - 1 - reach, drift[best])
        ink = ink.T
    return ink


def _without_line(ink: Floats, first: int, stop: int, drift: NDArray[np.int_]) -> Floats:
    height, width = ink.shape
    columns = np.arange(width)
    above, below = (
        ink[np.clip(row + drift, 0, height - 1), columns] for row in (first - 3, stop + 2)
    )
    filled = ink.copy()
    for row in range(first - 2, stop + 1):
        at = row + drift
        inside = (at >= 0) & (at < height)
        filled[at[inside], columns[inside]] = np.minimum(above, below)[inside]
    return filled
