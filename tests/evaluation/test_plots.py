import numpy as np
import pandas as pd
import pytest

from mnist_kedro.evaluation.calibration import reliability_table
from mnist_kedro.evaluation.plots import (
    CAPTION,
    HARDEST,
    plot_misread_digits,
    plot_reliability,
    plot_sample_grid,
)

LABELS = np.array([0, 0, 0, 1, 1, 2, 2], dtype=np.uint8)
PREDICTIONS = np.array([0, 0, 1, 1, 1, 0, 0], dtype=np.uint8)
NAMES = ["0", "1", "2"]


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
    (axes,) = plot_misread_digits(images, table, LONG).axes
    assert texts(axes)[0] == "T-shirt/top read as\nTrouser, 100 %"


def test_images_stand_below_the_longest_caption(table, images):
    many = table.loc[[6] * 6]
    canvas = plot_misread_digits(images, many, LONG).axes[0].images[0].get_array()
    assert canvas.shape == (2 * (28 + 2 * CAPTION), 5 * 28)
    assert (canvas[28 + 2 * CAPTION :, :28][:28] == 6).all()
    assert not canvas[28 : 28 + 2 * CAPTION].any()


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


def test_a_name_with_dollars_is_no_formula(tmp_path):
    images, labels = np.zeros((2, 28, 28), np.uint8), np.array([0, 1], np.uint8)
    grid = plot_sample_grid(images, labels, ["$x^$", "y"], 1, "")
    grid.savefig(tmp_path / "grid.png")
    assert [tick.get_text() for tick in grid.axes[0].get_yticklabels()] == [r"\$x^\$", "y"]
    predictions = pd.DataFrame({"index": [0], "label": [0], "prediction": [1], "confidence": [0.5]})
    plot_misread_digits(images, predictions, ["$x^$", "y"]).savefig(tmp_path / "misread.png")
