"""What a classifier misreads, class by class and image by image."""

from __future__ import annotations

import math
from textwrap import fill
from typing import TYPE_CHECKING, Any

from mnist_kedro.evaluation.figures import QUIET, plain
from mnist_kedro.evaluation.metrics import score_classes
from mnist_kedro.lazy import Figure, NDArray, np, pd

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import SubFigure

# In inches. Kedro-Viz stretches its preview of a picture to `SHAPE`, width by height.
SHAPE = 1.52
HEIGHT, PER_CLASS, BELOW = 6.2, 0.27, 2.7

# Of the confusion matrix
DARK = 0.7  # of the most frequent mistake: text on what is darker is white
ROOM = 0.6  # width of a class, as soon as many need more than the whole
SHORT = 3  # characters of a name that fits beside its neighbours'

# Of the hardest mistakes
HARDEST = 20
COLUMNS = 10  # of them side by side
CAPTION = 8  # pixels of an image's scale, for each line below it
LINE = 14  # characters of a caption


def report_mistakes(
    predictions: pd.DataFrame, images: NDArray[np.uint8], metrics: dict[str, Any]
) -> Figure:
    """Draw what a classifier misreads.

    Above: how often each class is read as which, with the scores of each class beside it. Below:
    the mistakes in which the classifier was most confident, up to `HARDEST` of them.

    Args:
        predictions: A row per image: `index`, `label`, `prediction` and `confidence`, which may be
            empty; then the first mistakes are drawn.
        images: `uint8 (n, 28, 28)`, 0 = paper, 255 = ink, those that `index` counts, from 0.
        metrics: With `class_names`, in the order of the labels.
    """
    from matplotlib.figure import Figure

    labels, read_as = (predictions[name].to_numpy() for name in ("label", "prediction"))
    scores = score_classes(labels, read_as, metrics["class_names"])
    height = max(HEIGHT, PER_CLASS * len(scores) + BELOW)
    figure = Figure(figsize=(SHAPE * height, height), layout="constrained")
    heights = height - BELOW, BELOW
    above, below = figure.subfigures(2, 1, squeeze=False, height_ratios=heights).flat
    _draw_confusion_matrix(above, predictions, scores)
    _draw_hardest(below, images, predictions, metrics["class_names"])
    return figure


def _draw_confusion_matrix(
    figure: SubFigure, predictions: pd.DataFrame, scores: pd.DataFrame
) -> None:
    """Only mistakes have a colour: the more there are, the darker it is. What is right is grey."""
    from sklearn.metrics import confusion_matrix

    classes, names = scores["class"].to_numpy(), scores["name"].map(plain).tolist()
    counts = confusion_matrix(predictions["label"], predictions["prediction"], labels=classes)
    left, beside = figure.subplots(1, 2, sharey=True, width_ratios=(max(8, ROOM * len(classes)), 5))
    _draw_counts(left, counts)
    upright = {"rotation": "vertical"} if max(map(len, names)) > SHORT else {}
    left.set_xticks(np.arange(len(classes)), labels=names, **upright)
    left.set_yticks(np.arange(len(classes)), labels=names)
    left.set(xlabel="read as", ylabel="label")
    _draw_columns(beside, scores)
    wrong = len(predictions) - int(counts.trace())
    figure.suptitle(f"{wrong:,} of {len(predictions):,} images misread")


def _draw_hardest(
    figure: SubFigure,
    images: NDArray[np.uint8],
    predictions: pd.DataFrame,
    class_names: Sequence[str],
) -> None:
    wrong = predictions[predictions["label"] != predictions["prediction"]]
    hardest = wrong.sort_values("confidence", ascending=False, kind="stable").head(HARDEST)
    if hardest.empty:
        return
    shown = hardest.to_dict("records")
    captions = [_caption(row, class_names) for row in shown]
    _, height, width = images.shape
    below = CAPTION * max(caption.count("\n") + 1 for caption in captions)
    rows = math.ceil(len(hardest) / COLUMNS)
    canvas = np.zeros((rows * (height + below), COLUMNS * width), dtype=np.uint8)
    axes = figure.subplots()
    for place, (row, caption) in enumerate(zip(shown, captions, strict=True)):
        top, left = place // COLUMNS * (height + below), place % COLUMNS * width
        canvas[top : top + height, left : left + width] = images[row["index"]]
        axes.text(left + width / 2, top + height + 1, caption, ha="center", va="top", fontsize=7)
    axes.imshow(canvas, cmap="gray_r", interpolation="nearest")
    axes.set_anchor("N")
    axes.set_axis_off()
    order = "" if hardest["confidence"].isna().any() else "The most confident "
    figure.suptitle(f"{order}{len(hardest)} of {len(wrong):,} mistakes")


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


def _draw_columns(axes: Axes, scores: pd.DataFrame) -> None:
    """Draw a table whose rows are those of the matrix to its left."""
    names = {"precision": "precision", "recall": "recall", "f1": "F1", "images": "images"}
    for column, (name, title) in enumerate(names.items()):
        axes.text(column, -0.8, title, ha="right", va="center", color=QUIET)
        for row, value in enumerate(scores[name]):
            text = f"{value:,.0f}" if name == "images" else f"{100 * value:.1f} %"
            axes.text(column, row, "" if np.isnan(value) else text, ha="right", va="center")
    axes.set_xlim(-0.8, len(names) - 0.9)
    axes.set_axis_off()


def _caption(row: Mapping[Hashable, Any], class_names: Sequence[str]) -> str:
    label, prediction = (plain(class_names[row[key]]) for key in ("label", "prediction"))
    sure = "" if np.isnan(row["confidence"]) else f", {100 * row['confidence']:.0f} %"
    return fill(f"{label} read as {prediction}{sure}", LINE)
