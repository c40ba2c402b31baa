from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from mnist_kedro.evaluation.mistakes import CAPTION, COLUMNS, HARDEST, SHAPE, report_mistakes

LABELS = np.array([0, 0, 0, 1, 1, 2, 2], dtype=np.uint8)
PREDICTIONS = np.array([0, 0, 1, 1, 1, 0, 0], dtype=np.uint8)
NAMES = ["0", "1", "2"]
LONG = ["Trouser", "Ankle boot", "T-shirt/top"]


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


def report(table, images, names=NAMES):
    """The figure's two parts: the confusion matrix, and the hardest mistakes."""
    return report_mistakes(table, images, {"class_names": names}).subfigs


def texts(axes):
    return [text.get_text() for text in axes.texts]


def test_the_confusion_matrix_shows_each_count_and_the_scores_beside_it(table, images):
    above, _ = report(table, images)
    assert above.get_suptitle() == "3 of 7 images misread"
    left, beside = above.axes
    cells = {text.get_position()[::-1]: text.get_text() for text in left.texts}
    assert cells == {(0, 0): "2", (0, 1): "1", (1, 1): "2", (2, 0): "2"}  # label, prediction
    rows = [[t.get_text() for t in beside.texts if t.get_position()[1] == row] for row in (0, 2)]
    assert rows[0] == ["50.0 %", "66.7 %", "57.1 %", "3"]
    assert rows[1] == ["", "0.0 %", "0.0 %", "2"]  # 2 was never predicted


def test_only_mistakes_have_a_colour_in_the_confusion_matrix(table, images):
    above, _ = report(table, images)
    colours = above.axes[0].images[0].get_array()[:, :, :3]
    is_grey = np.ptp(colours, axis=2) == 0
    assert np.argwhere(~is_grey).tolist() == [[0, 1], [2, 0]]
    assert colours[2, 0].sum() < colours[0, 1].sum()  # two mistakes are darker than one
    assert (colours[0, 2] == 1).all()
    assert (colours[1, 1] < 1).all()


@pytest.mark.parametrize(("names", "rotation"), [(NAMES, 0), (LONG, 90)])
def test_classes_have_their_names(table, images, names, rotation):
    left, _ = report(table, images, names)[0].axes
    for ticks in (left.get_xticklabels(), left.get_yticklabels()):
        assert [tick.get_text() for tick in ticks] == names
    assert {tick.get_rotation() for tick in left.get_xticklabels()} == {rotation}


@pytest.mark.parametrize("classes", [3, 10, 47])
def test_all_classes_have_room_in_a_picture_of_the_previews_proportions(images, classes):
    labels = np.repeat(np.arange(classes, dtype=np.uint8), 2)
    table = pd.DataFrame({"label": labels, "prediction": labels, "confidence": 1.0})
    names = [str(label) for label in range(classes)]
    figure = report_mistakes(table, images, {"class_names": names})
    assert np.divide(*figure.get_size_inches()) == pytest.approx(SHAPE)
    figure.draw_without_rendering()
    ticks = figure.subfigs[0].axes[0]
    places = [tick.get_window_extent() for tick in ticks.get_xticklabels()]
    assert all(one.x1 < other.x0 for one, other in pairwise(places))
    places = [tick.get_window_extent() for tick in ticks.get_yticklabels()]
    assert all(one.y0 > other.y1 for one, other in pairwise(places))


def test_the_hardest_mistakes_stand_in_order_of_confidence(table, images):
    _, below = report(table, images)
    assert below.get_suptitle() == "The most confident 3 of 3 mistakes"
    (axes,) = below.axes
    assert texts(axes) == ["2 read as 0,\n100 %", "2 read as 0,\n70 %", "0 read as 1,\n40 %"]
    canvas = axes.images[0].get_array()
    assert canvas[0, [0, 28, 56, 84]].tolist() == [6, 5, 2, 0]


def test_only_the_hardest_are_drawn(table, images):
    _, below = report(table.loc[[2] * HARDEST + [6]], images)
    shown = texts(below.axes[0])
    assert shown == ["2 read as 0,\n100 %"] + ["0 read as 1,\n40 %"] * (HARDEST - 1)
    assert below.get_suptitle() == "The most confident 20 of 21 mistakes"


def test_mistakes_without_confidence_keep_their_order(table, images):
    _, below = report(table.assign(confidence=np.nan), images)
    assert texts(below.axes[0]) == ["0 read as 1", "2 read as 0", "2 read as 0"]
    assert below.get_suptitle() == "3 of 3 mistakes"


def test_without_mistakes_there_is_only_the_matrix(table, images):
    above, below = report(table.assign(prediction=LABELS), images)
    assert above.get_suptitle() == "0 of 7 images misread"
    assert not below.axes


def test_images_stand_below_the_longest_caption(table, images):
    (axes,) = report(table.loc[[6] * (COLUMNS + 1)], images, LONG)[1].axes
    assert texts(axes)[0] == "T-shirt/top\nread as\nTrouser, 100 %"
    canvas = axes.images[0].get_array()
    assert canvas.shape == (2 * (28 + 3 * CAPTION), COLUMNS * 28)
    assert (canvas[28 + 3 * CAPTION :, :28][:28] == 6).all()
    assert not canvas[28 : 28 + 3 * CAPTION].any()


def test_a_name_with_dollars_is_no_formula(table, images):
    figure = report_mistakes(table, images, {"class_names": ["$x^$", "y", "z"]})
    figure.draw_without_rendering()
    ticks = figure.subfigs[0].axes[0].get_yticklabels()
    assert [tick.get_text() for tick in ticks] == [r"\$x^\$", "y", "z"]
