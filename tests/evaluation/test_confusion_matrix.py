from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from mnist_kedro.evaluation.confusion_matrix import plot_confusion_matrix
from mnist_kedro.evaluation.metrics import score_classes

LABELS = np.array([0, 0, 0, 1, 1, 2, 2], dtype=np.uint8)
PREDICTIONS = np.array([0, 0, 1, 1, 1, 0, 0], dtype=np.uint8)
LONG = ["Trouser", "Ankle boot", "T-shirt/top"]


def report(names=("0", "1", "2")):
    scores = score_classes(LABELS, PREDICTIONS)
    return scores.assign(name=[names[label] for label in scores["class"]])


@pytest.fixture
def table():
    return pd.DataFrame({"label": LABELS, "prediction": PREDICTIONS})


def test_the_confusion_matrix_shows_each_count_in_its_cell(table):
    figure = plot_confusion_matrix(table, report())
    left, _ = figure.axes
    cells = {text.get_position()[::-1]: text.get_text() for text in left.texts}
    assert cells == {(0, 0): "2", (0, 1): "1", (1, 1): "2", (2, 0): "2"}  # label, prediction
    assert figure.get_suptitle() == "3 of 7 images misread"


def test_only_mistakes_have_a_colour_in_the_confusion_matrix(table):
    figure = plot_confusion_matrix(table, report())
    colours = figure.axes[0].images[0].get_array()[:, :, :3]
    is_grey = np.ptp(colours, axis=2) == 0
    assert np.argwhere(~is_grey).tolist() == [[0, 1], [2, 0]]
    assert colours[2, 0].sum() < colours[0, 1].sum()  # two mistakes are darker than one
    assert (colours[0, 2] == 1).all()
    assert (colours[1, 1] < 1).all()


def test_the_scores_of_each_class_stand_beside_its_row(table):
    _, beside = plot_confusion_matrix(table, report()).axes
    row = [text.get_text() for text in beside.texts if text.get_position()[1] == 0]
    assert row == ["50.0 %", "66.7 %", "57.1 %", "3"]
    row = [text.get_text() for text in beside.texts if text.get_position()[1] == 2]
    assert row == ["", "0.0 %", "0.0 %", "2"]  # 2 was never predicted


def test_classes_have_their_names(table):
    left, _ = plot_confusion_matrix(table, report(LONG)).axes
    for ticks in (left.get_xticklabels(), left.get_yticklabels()):
        assert [tick.get_text() for tick in ticks] == LONG
    assert {tick.get_rotation() for tick in left.get_xticklabels()} == {90}
    left, _ = plot_confusion_matrix(table, report()).axes
    assert {tick.get_rotation() for tick in left.get_xticklabels()} == {0}


def test_a_name_with_dollars_is_no_formula(table):
    figure = plot_confusion_matrix(table, report(["$x^$", "y", "z"]))
    figure.draw_without_rendering()
    left, _ = figure.axes
    assert [tick.get_text() for tick in left.get_yticklabels()] == [r"\$x^\$", "y", "z"]


def test_a_confusion_matrix_of_many_classes_has_room_for_all():
    labels = np.repeat(np.arange(47, dtype=np.uint8), 2)
    table = pd.DataFrame({"label": labels, "prediction": labels})
    scores = score_classes(labels, labels)
    figure = plot_confusion_matrix(table, scores.assign(name=scores["class"].astype(str)))
    figure.draw_without_rendering()
    left, _ = figure.axes
    places = [tick.get_window_extent() for tick in left.get_xticklabels()]
    assert all(one.x1 < other.x0 for one, other in pairwise(places))
