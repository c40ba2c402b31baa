"""What a classifier misreads, class by class and image by image."""

from __future__ import annotations

import math
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mnist_kedro.evaluation.figures import QUIET, plain, say
from mnist_kedro.evaluation.metrics import score_classes
from mnist_kedro.lazy import Figure, pd

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from matplotlib.axes import Axes

# Of the confusion matrix
DARK = 0.7  # of the most frequent mistake: text on what is darker is white
ROOM = 0.6  # width of a class, as soon as many need more than the whole
SHORT = 3  # characters of a name that fits beside its neighbours'

# Of the misread digits
HARDEST = 20  # mistakes that are drawn
COLUMNS = 5  # of them side by side
CAPTION = 9  # pixels of an image's scale, for each line below it
LINE = 20  # characters of a caption


def report_mistakes(
    predictions: pd.DataFrame, images: NDArray[np.uint8], metrics: dict[str, Any]
) -> tuple[pd.DataFrame, Figure, Figure]:
    """Report what a classifier misreads.

    Args:
        predictions: A row per image: `index`, `label`, `prediction`, `confidence`.
        images: `uint8 (n, 28, 28)`, those that `index` counts, from 0.
        metrics: With `class_names`, in the order of the labels.

    Returns:
        The scores of each class as `score_classes` has them, with its `name`; the confusion matrix;
        and the hardest of the misread digits.
    """
    class_report = score_classes(
        predictions["label"].to_numpy(), predictions["prediction"].to_numpy()
    )
    class_names = metrics["class_names"]
    class_report.insert(1, "name", [class_names[label] for label in class_report["class"]])
    return (
        class_report,
        plot_confusion_matrix(predictions, class_report),
        plot_misclassified(images, predictions, class_names),
    )


def plot_confusion_matrix(predictions: pd.DataFrame, class_report: pd.DataFrame) -> Figure:
    """Draw how often each class is read as which, with the scores of each class beside it.

    Only mistakes have a colour: the more there are, the darker it is. What is right is grey.

    Args:
        predictions: Rows of `label` and `prediction`.
        class_report: A row per class, as `report_mistakes` returns it.
    """
    from matplotlib.figure import Figure
    from sklearn.metrics import confusion_matrix

    classes, names = class_report["class"].to_numpy(), class_report["name"].map(plain).tolist()
    counts = confusion_matrix(predictions["label"], predictions["prediction"], labels=classes)
    right = int(counts.trace())
    width = max(8, ROOM * len(classes)), 5
    size = 8 * sum(width) / 13, 0.36 * len(classes) + 1.3
    figure = Figure(figsize=size, layout="constrained")
    left, beside = figure.subplots(1, 2, sharey=True, width_ratios=width)
    _draw_counts(left, counts)
    upright = {"rotation": "vertical"} if max(map(len, names)) > SHORT else {}
    left.set_xticks(np.arange(len(classes)), labels=names, **upright)
    left.set_yticks(np.arange(len(classes)), labels=names)
    left.set(xlabel="read as", ylabel="label")
    _draw_columns(beside, class_report)
    figure.suptitle(f"{len(predictions) - right:,} of {len(predictions):,} images misread")
    return figure


def plot_misclassified(
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
        return say(f"None of {len(predictions):,} images is misread.")
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


def _draw_counts(axes: Axes, counts: NDArray[np.int64]) -> None:
    """Draw a square of counts; zeros stay empty."""
    from matplotlib import colormaps

    mistakes = counts * (1 - np.eye(len(counts), dtype=int))
    shades = mistakes / max(mistakes.max(), 1)
    colours = colormaps["Oranges"](0.1 + 0.7 * shades)
    colours[mistakes == 0] = 1
    np.einsum("iij->ij", colours)[:] = 0.93  # the diagonal
    axes.imshow(colours, aspect="auto", interpolation="nearest")
    for row, column in np.argwhere(counts):
        colour = QUIET if row == column else "white" if shades[row, column] > DARK else "black"
        axes.text(column, row, f"{counts[row, column]:,}", ha="center", va="center", color=colour)
    edges = np.arange(len(counts) + 1) - 0.5
    axes.set_xticks(edges, minor=True)
    axes.set_yticks(edges, minor=True)
    axes.grid(which="minor", color="0.9", linewidth=0.8)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)


def _draw_columns(axes: Axes, class_report: pd.DataFrame) -> None:
    """Draw a table whose rows are those of the matrix to its left."""
    names = {"precision": "precision", "recall": "recall", "f1": "F1", "images": "images"}
    for column, (name, title) in enumerate(names.items()):
        axes.text(column, -0.8, title, ha="right", va="center", color=QUIET)
        for row, value in enumerate(class_report[name]):
            text = f"{value:,.0f}" if name == "images" else f"{100 * value:.1f} %"
            axes.text(column, row, "" if np.isnan(value) else text, ha="right", va="center")
    axes.set_xlim(-0.8, len(names) - 0.9)
    axes.set_axis_off()


def _caption(row: Mapping[Hashable, Any], class_names: Sequence[str]) -> str:
    label, prediction = (plain(class_names[row[key]]) for key in ("label", "prediction"))
    sure = "" if np.isnan(row["confidence"]) else f", {100 * row['confidence']:.0f} %"
    return fill(f"{label} read as {prediction}{sure}", LINE)
