"""The confusion matrix, drawn with the scores of each class beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mnist_kedro.evaluation.plots import QUIET, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from mnist_kedro.lazy import pd

DARK = 0.7  # of the most frequent mistake: text on what is darker is white
ROOM = 0.6  # of the width of a class in a matrix of many
SHORT = 3  # characters of a name that has room above its neighbours'


def plot_confusion_matrix(predictions: pd.DataFrame, class_report: pd.DataFrame) -> Figure:
    """Draw how often each class is read as which, with the scores of each class beside it.

    Colour shows mistakes only: the darker, the more. What is right is grey.

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
