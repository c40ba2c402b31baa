"""A contact sheet: what came in, what the model saw, and what it said."""

from __future__ import annotations

import math
from textwrap import fill, shorten
from typing import TYPE_CHECKING, Any

import numpy as np

from mnist_kedro.lazy import Figure, pd

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

COLUMNS = 4  # digits side by side
CELL = 2.3, 1.8  # width and height of a digit's place; each of its two pictures is 1 x 1
NAME_LENGTH = 24  # characters of a file's name that are written, its last ones
WARNING_LENGTH, LINE_LENGTH = 90, 46  # of a warning's characters
SHORT = 12  # characters of a label and its confidence that have room in large letters
INCHES = 1.1  # per unit


def plot_contact_sheet(
    pictures: Sequence[tuple[NDArray[Any] | None, NDArray[np.uint8] | None]],
    predictions: pd.DataFrame,
    title: str,
) -> Figure:
    """Draw each picture as it came in, beside it what the model saw, below it what it said.

    Args:
        pictures: Grey values `(height, width)`, 0-255, `None` for a file that cannot be read, and
            `uint8 (28, 28)` in MNIST's format, `None` for one in which there is no digit.
        predictions: Their rows, as `predict_images` returns them.
        title: Stands above.
    """
    from matplotlib.figure import Figure

    width, height = CELL
    columns, rows = min(COLUMNS, len(pictures)), math.ceil(len(pictures) / COLUMNS)
    size = max(columns, 2) * width * INCHES, rows * height * INCHES + 0.5
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots()
    for place, (pair, row) in enumerate(zip(pictures, predictions.to_dict("records"), strict=True)):
        left, top = place % COLUMNS * width, -(place // COLUMNS) * height
        for number, (image, colours) in enumerate(zip(pair, ("gray", "gray_r"), strict=True)):
            _draw_picture(axes, image, colours, (left + 1.05 * number, top))
        _write(axes, row, left, top - 1)
    axes.set(xlim=(-0.05, columns * width), ylim=(-rows * height, 0.05), aspect="equal")
    axes.set_axis_off()
    figure.suptitle(title)
    return figure


def _draw_picture(
    axes: Axes, image: NDArray[Any] | None, colours: str, corner: tuple[float, float]
) -> None:
    """Draw a picture as large as fits into a square of 1 x 1, whose upper left corner is given."""
    from matplotlib.patches import Rectangle

    left, top = corner
    if image is None:
        axes.plot([left, left + 1], [top - 1, top], color="0.8")
        return
    height, width = np.array(image.shape) / max(image.shape)
    x, y = left + (1 - width) / 2, top - (1 - height) / 2
    extent = (x, x + width, y - height, y)
    axes.imshow(image, cmap=colours, vmin=0, vmax=255, extent=extent)
    axes.add_patch(Rectangle((x, y - height), width, height, fill=False, color="0.8"))


def _write(axes: Axes, row: Mapping[Hashable, Any], left: float, top: float) -> None:
    label = "no digit" if pd.isna(row["label"]) else row["name"]
    label += "" if pd.isna(row["confidence"]) else f"  {100 * row['confidence']:.0f} %"
    size = 11 if len(label) <= SHORT else 8
    warning = "" if pd.isna(row["warning"]) else shorten(row["warning"], WARNING_LENGTH)
    name = row["file"] if len(row["file"]) <= NAME_LENGTH else f"…{row['file'][1 - NAME_LENGTH :]}"
    places: list[tuple[float, float, str, dict[str, Any]]] = [
        (1.05, -0.05, label, {"fontsize": size, "fontweight": "bold"}),
        (0, -0.09, name, {"fontsize": 7, "color": "0.4"}),
        (0, -0.33, fill(warning, LINE_LENGTH), {"fontsize": 7, "color": "tab:red"}),
    ]
    for x, y, text, look in places:
        axes.text(left + x, top + y, text, va="top", parse_math=False, **look)
