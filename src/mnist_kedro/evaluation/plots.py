"""Figures."""

from __future__ import annotations

import math
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np

from mnist_kedro.evaluation.calibration import expected_calibration_error
from mnist_kedro.lazy import Figure, pd

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from numpy.typing import NDArray

QUIET = "0.45"  # grey of what is there to be looked up
HARDEST = 20  # mistakes that are drawn
COLUMNS = 5  # of them side by side
CAPTION = 9  # pixels of an image's scale, for each line below it
LINE = 20  # characters of a caption


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


def plot_misread_digits(
    images: NDArray[np.uint8], predictions: pd.DataFrame, class_names: Sequence[str]
) -> Figure:
    """Draw the mistakes in which the classifier was most confident, up to `HARDEST` of them.

    Args:
        images: `uint8 (n, 28, 28)`, 0 = paper, 255 = ink.
        predictions: Rows of `index` (of `images`), `label`, `prediction` and `confidence`, which
            may be empty; then the first mistakes are drawn.
        class_names: In the order of the labels.
    """
    from matplotlib.figure import Figure

    wrong = predictions[predictions["label"] != predictions["prediction"]]
    hardest = wrong.sort_values("confidence", ascending=False, kind="stable").head(HARDEST)
    if hardest.empty:
        return _say(f"None of {len(predictions):,} images is misread.")
    shown = hardest.to_dict("records")
    captions = [_caption(row, class_names) for row in shown]
    _, height, width = images.shape
    below = CAPTION * max(caption.count("\n") + 1 for caption in captions)
    rows = math.ceil(len(hardest) / COLUMNS)
    canvas = np.zeros((rows * (height + below), COLUMNS * width), dtype=np.uint8)
    size = 1.4 * COLUMNS, 1.8 * (height + below) / (height + CAPTION) * rows + 0.4
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots()
    for place, (row, caption) in enumerate(zip(shown, captions, strict=True)):
        top, left = place // COLUMNS * (height + below), place % COLUMNS * width
        canvas[top : top + height, left : left + width] = images[row["index"]]
        axes.text(left + width / 2, top + height + 1, caption, ha="center", va="top", fontsize=9)
    axes.imshow(canvas, cmap="gray_r", interpolation="nearest")
    axes.set_axis_off()
    order = "" if hardest["confidence"].isna().any() else ", the most confident first"
    count = f"{len(hardest)} of {len(wrong):,} mistakes in {len(predictions):,} images"
    figure.suptitle(count + order)
    return figure


def plot_reliability(table: pd.DataFrame) -> Figure:
    """Draw accuracy against confidence, and below it how many images have that confidence.

    Args:
        table: A row per bin, as `reliability_table` returns it, with the ends of the accuracy's
            interval in `low` and `high`; empty for a classifier without probabilities.
    """
    from matplotlib.figure import Figure

    if table.empty:
        return _say("This classifier gives no probabilities: there is no confidence to check.")
    figure = Figure(figsize=(5.5, 6), layout="constrained")
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


def plain(name: str) -> str:
    """Return a name that Matplotlib takes for text, not for mathematics."""
    return name.replace("$", r"\$")


def _caption(row: Mapping[Hashable, Any], class_names: Sequence[str]) -> str:
    label, prediction = (plain(class_names[row[key]]) for key in ("label", "prediction"))
    sure = "" if np.isnan(row["confidence"]) else f", {100 * row['confidence']:.0f} %"
    return fill(f"{label} read as {prediction}{sure}", LINE)


def _say(sentence: str) -> Figure:
    """Return a picture of a sentence, where there is nothing to draw."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 1))
    figure.text(0.5, 0.5, sentence, ha="center", va="center")
    return figure
