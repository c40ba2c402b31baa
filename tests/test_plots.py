from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from mnist_kedro.calibration import reliability_table
from mnist_kedro.metrics import score_classes
from mnist_kedro.plots import (
    CAPTION,
    HARDEST,
    plot_confusion_matrix,
    plot_misread_digits,
    plot_reliability,
)

LABELS = np.array([0, 0, 0, 1, 1, 2, 2], dtype=np.uint8)
PREDICTIONS = np.array([0, 0, 1, 1, 1, 0, 0], dtype=np.uint8)
NAMES = ["0", "1", "2"]


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


def test_misread_digits_stand_in_order_of_confidence(table, images):
    (axes,) = plot_misread_digits(images, table, NAMES).axes
    assert texts(axes) == ["2 read as 0, 100 %", "2 read as 0, 70 %", "0 read as 1, 40 %"]
    canvas = axes.images[0].get_array()
    assert canvas[0, [0, 28, 56, 84]].tolist() == [6, 5, 2, 0]


def test_only_the_hardest_are_drawn(table, images):
    many = table.loc[[2] * HARDEST + [6]]
    figure = plot_misread_digits(images, many, NAMES)
    shown = texts(figure.axes[0])
    assert shown == ["2 read as 0, 100 %"] + ["0 read as 1, 40 %"] * (HARDEST - 1)
    assert figure.get_suptitle() == "20 of 21 mistakes in 21 images, the most confident first"


def test_misread_digits_without_confidence_keep_their_order(table, images):
    figure = plot_misread_digits(images, table.assign(confidence=np.nan), NAMES)
    assert texts(figure.axes[0]) == ["0 read as 1", "2 read as 0", "2 read as 0"]
    assert figure.get_suptitle() == "3 of 3 mistakes in 7 images"


def test_without_mistakes_a_sentence_says_so(table, images):
    figure = plot_misread_digits(images, table.assign(prediction=LABELS), NAMES)
    assert texts(figure) == ["None of 7 images is misread."]


LONG = ["Trouser", "Ankle boot", "T-shirt/top"]


def test_classes_have_their_names(table, images):
    left, _ = plot_confusion_matrix(table, report(LONG)).axes
    for ticks in (left.get_xticklabels(), left.get_yticklabels()):
        assert [tick.get_text() for tick in ticks] == LONG
    assert {tick.get_rotation() for tick in left.get_xticklabels()} == {90}
    (axes,) = plot_misread_digits(images, table, LONG).axes
    assert texts(axes)[0] == "T-shirt/top read as\nTrouser, 100 %"
    left, _ = plot_confusion_matrix(table, report()).axes
    assert {tick.get_rotation() for tick in left.get_xticklabels()} == {0}


def test_images_stand_below_the_longest_caption(table, images):
    many = table.loc[[6] * 6]
    canvas = plot_misread_digits(images, many, LONG).axes[0].images[0].get_array()
    assert canvas.shape == (2 * (28 + 2 * CAPTION), 5 * 28)
    assert (canvas[28 + 2 * CAPTION :, :28][:28] == 6).all()
    assert not canvas[28 : 28 + 2 * CAPTION].any()


def test_a_confusion_matrix_of_many_classes_has_room_for_all():
    labels = np.repeat(np.arange(47, dtype=np.uint8), 2)
    table = pd.DataFrame({"label": labels, "prediction": labels})
    scores = score_classes(labels, labels)
    figure = plot_confusion_matrix(table, scores.assign(name=scores["class"].astype(str)))
    figure.draw_without_rendering()
    left, _ = figure.axes
    places = [tick.get_window_extent() for tick in left.get_xticklabels()]
    assert all(one.x1 < other.x0 for one, other in pairwise(places))


def test_the_reliability_diagram_shows_the_table(table):
    correct = (table["label"] == table["prediction"]).to_numpy()
    bins = reliability_table(table["confidence"].to_numpy(), correct).assign(low=0, high=1)
    upper, lower = plot_reliability(bins).axes
    points = upper.containers[0].lines[0].get_xydata()
    np.testing.assert_array_equal(points, bins[["confidence", "accuracy"]])
    assert [bar.get_height() for bar in lower.patches] == [1, 1, 4, 1]
    assert (
        upper.get_title()
        == f"Expected calibration error {100 * (0.4 + 0.7 + 4 * 0.1 + 0.996) / 7:.2f} %"
    )


def test_without_probabilities_the_reliability_diagram_says_so():
    figure = plot_reliability(pd.DataFrame())
    assert texts(figure)[0].startswith("This classifier gives no probabilities")
