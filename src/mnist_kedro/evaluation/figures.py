"""Figures: sample grid, reliability diagram, contact sheet."""

from __future__ import annotations

import math
from textwrap import fill, shorten
from typing import TYPE_CHECKING, Any

from mnist_kedro.evaluation.metrics import expected_calibration_error
from mnist_kedro.lazy import Figure, np, pd

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

QUIET = "0.45"  # grey of what is there to be looked up

# Of the contact sheet
COLUMNS = 4  # digits side by side
CELL = 2.3, 1.8  # width and height of a digit's place; each of its two pictures is 1 x 1
INCHES = 1.1  # per unit
SHORT = 12  # characters of a label and its confidence that fit in large letters
NAME_LENGTH = 24  # characters of a file's name that are written, its last ones
WARNING_LENGTH, LINE_LENGTH = 90, 46  # characters of a warning, and of each of its lines


def plot_sample_grid(
    images: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    class_names: Sequence[str],
    per_class: int,
    title: str,
) -> Figure:
    """Draw the first `per_class` images of each class, a row per class.

    Args:
        images: `uint8 (n, 28, 28)`, 0 = paper, 255 = ink.
        labels: `uint8 (n,)`.
        class_names: In the order of the labels.
        per_class: Images per row; fewer are drawn where a class has fewer.
        title: Stands above.
    """
    from matplotlib.figure import Figure

    classes = np.unique(labels)
    _, height, width = images.shape
    grid = np.zeros((len(classes) * height, per_class * width), dtype=np.uint8)
    for row, label in enumerate(classes):
        chosen = images[np.flatnonzero(labels == label)[:per_class]]
        strip = chosen.transpose(1, 0, 2).reshape(height, -1)  # side by side
        grid[row * height : (row + 1) * height, : strip.shape[1]] = strip
    figure = Figure(figsize=(per_class * 0.6, len(classes) * 0.6 + 0.4), layout="constrained")
    axes = figure.subplots()
    axes.imshow(grid, cmap="gray_r", interpolation="nearest")
    axes.set_yticks(
        height * (np.arange(len(classes)) + 0.5),
        labels=[plain(class_names[label]) for label in classes],
    )
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_title(title)
    return figure


def plot_reliability(table: pd.DataFrame) -> Figure:
    """Draw accuracy against confidence, and below it how many images have that confidence.

    Args:
        table: A row per bin, as `reliability_table` returns it, with the ends of the accuracy's
            interval in `low` and `high`; empty for a classifier without probabilities.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.6, 5), layout="constrained")
    if table.empty:
        figure.suptitle("This classifier gives no probabilities: there is no confidence to check.")
        return figure
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    upper.plot([0, 1], [0, 1], color=QUIET, linestyle="--", label="as accurate as confident")
    reach = [table["accuracy"] - table["low"], table["high"] - table["accuracy"]]
    upper.errorbar(
        *(table["confidence"], table["accuracy"], reach),
        fmt="o",
        color="tab:blue",
        ecolor="lightsteelblue",
        label="measured, with 95 % interval",
    )
    upper.set(ylabel="accuracy", ylim=(-0.03, 1.03), xlim=(-0.03, 1.03))
    upper.set_title(f"Expected calibration error {100 * expected_calibration_error(table):.2f} %")
    lower.bar(table["confidence"], table["images"], width=0.02, color="tab:blue")
    lower.set(xlabel="confidence", ylabel="images", yscale="log", ylim=(0.5, None))
    lower.yaxis.set_major_formatter("{x:,.0f}")
    for axes in (upper, lower):
        axes.spines[["top", "right"]].set_visible(False)
    figure.align_ylabels()
    figure.legend(loc="outside lower center", frameon=False, ncols=2)
    return figure


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
    label = "no digit" if pd.isna(row["prediction"]) else row["class_name"]
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


def plain(name: str) -> str:
    """Return a name that Matplotlib takes for text, not for mathematics."""
    return name.replace("$", r"\$")
