from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from mnist_kedro.evaluation.metrics import score_classes
from mnist_kedro.evaluation.mistakes import (
    CAPTION,
    HARDEST,
    plot_confusion_matrix,
    plot_misclassified,
    report_mistakes,
)

LABELS = np.array([0, 0, 0, 1, 1, 2, 2], dtype=np.uint8)
PREDICTIONS = np.array([0, 0, 1, 1, 1, 0, 0], dtype=np.uint8)
NAMES = ["0", "1", "2"]
LONG = ["Trouser", "Ankle boot", "T-shirt/top"]


def report(names=NAMES):
    scores = score_classes(LABELS, PREDICTIONS)
    return scores.assign(name=[names[label] for label in scores["class"]])


@pytest.fixture
def table():
    confidence = [0.9, 0.9, 0.4, 0.9, 0.9, 0.7, 0.996]
    columns = {"label": LABELS, "prediction": PREDICTIONS, "confidence": confidence}
    return pd.DataFrame({"index": np.arange(10, 17)} | columns)


@pytest.fixture
def images():
    """Each of one value; those of the table, from 10 on, of their place in it."""
    values = np.roll(np.arange(17, dtype=np.uint8), 10)
    return np.repeat(values, 28 * 28).reshape(17, 28, 28)


def texts(axes):
    return [text.get_text() for text in axes.texts]


def test_a_report_is_scores_with_names_and_both_figures(table, images):
    scores, matrix, misread = report_mistakes(table, images, {"class_names": LONG})
    assert list(scores) == ["class", "name", "precision", "recall", "f1", "images"]
    assert scores["name"].tolist() == LONG
    assert matrix.get_suptitle() == "3 of 7 images misread"
    assert misread.get_suptitle() == "3 of 3 mistakes in 7 images, the most confident first"


def test_the_confusion_matrix_shows_each_count_and_the_scores_beside_it(table):
    left, beside = plot_confusion_matrix(table, report()).axes
    cells = {text.get_position()[::-1]: text.get_text() for text in left.texts}
    assert cells == {(0, 0): "2", (0, 1): "1", (1, 1): "2", (2, 0): "2"}  # label, prediction
    rows = [[t.get_text() for t in beside.texts if t.get_position()[1] == row] for row in (0, 2)]
    assert rows[0] == ["50.0 %", "66.7 %", "57.1 %", "3"]
    assert rows[1] == ["", "0.0 %", "0.0 %", "2"]  # 2 was never predicted


def test_only_mistakes_have_a_colour_in_the_confusion_matrix(table):
    figure = plot_confusion_matrix(table, report())
    colours = figure.axes[0].images[0].get_array()[:, :, :3]
    is_grey = np.ptp(colours, axis=2) == 0
    assert np.argwhere(~is_grey).tolist() == [[0, 1], [2, 0]]
    assert colours[2, 0].sum() < colours[0, 1].sum()  # two mistakes are darker than one
    assert (colours[0, 2] == 1).all()
    assert (colours[1, 1] < 1).all()


@pytest.mark.parametrize(("names", "rotation"), [(NAMES, 0), (LONG, 90)])
def test_classes_have_their_names(table, names, rotation):
    left, _ = plot_confusion_matrix(table, report(names)).axes
    for ticks in (left.get_xticklabels(), left.get_yticklabels()):
        assert [tick.get_text() for tick in ticks] == names
    assert {tick.get_rotation() for tick in left.get_xticklabels()} == {rotation}


def test_a_confusion_matrix_of_many_classes_has_room_for_all():
    labels = np.repeat(np.arange(47, dtype=np.uint8), 2)
    scores = score_classes(labels, labels)
    figure = plot_confusion_matrix(
        pd.DataFrame({"label": labels, "prediction": labels}),
        scores.assign(name=scores["class"].astype(str)),
    )
    figure.draw_without_rendering()
    places = [tick.get_window_extent() for tick in figure.axes[0].get_xticklabels()]
    assert all(one.x1 < other.x0 for one, other in pairwise(places))


def test_misclassified_stand_in_order_of_confidence(table, images):
    (axes,) = plot_misclassified(images, table, NAMES).axes
    assert texts(axes) == ["2 read as 0, 100 %", "2 read as 0, 70 %", "0 read as 1, 40 %"]
    canvas = axes.images[0].get_array()
    assert canvas[0, [0, 28, 56, 84]].tolist() == [6, 5, 2, 0]


def test_only_the_hardest_are_drawn(table, images):
    many = table.loc[[2] * HARDEST + [6]]
    figure = plot_misclassified(images, many, NAMES)
    shown = texts(figure.axes[0])
    assert shown == ["2 read as 0, 100 %"] + ["0 read as 1, 40 %"] * (HARDEST - 1)
    assert figure.get_suptitle() == "20 of 21 mistakes in 21 images, the most confident first"


def test_misclassified_without_confidence_keep_their_order(table, images):
    figure = plot_misclassified(images, table.assign(confidence=np.nan), NAMES)
    assert texts(figure.axes[0]) == ["0 read as 1", "2 read as 0", "2 read as 0"]
    assert figure.get_suptitle() == "3 of 3 mistakes in 7 images"


def test_without_mistakes_a_sentence_says_so(table, images):
    figure = plot_misclassified(images, table.assign(prediction=LABELS), NAMES)
    assert texts(figure) == ["None of 7 images is misread."]


def test_images_stand_below_the_longest_caption(table, images):
    (axes,) = plot_misclassified(images, table.loc[[6] * 6], LONG).axes
    assert texts(axes)[0] == "T-shirt/top read as\nTrouser, 100 %"
    canvas = axes.images[0].get_array()
    assert canvas.shape == (2 * (28 + 2 * CAPTION), 5 * 28)
    assert (canvas[28 + 2 * CAPTION :, :28][:28] == 6).all()
    assert not canvas[28 : 28 + 2 * CAPTION].any()


def test_a_name_with_dollars_is_no_formula(table, images):
    names = ["$x^$", "y", "z"]
    figure = plot_confusion_matrix(table, report(names))
    figure.draw_without_rendering()
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == [r"\$x^\$", "y", "z"]
    plot_misclassified(images, table, names).draw_without_rendering()
