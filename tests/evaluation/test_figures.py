import numpy as np
import pandas as pd
import pytest

from mnist_kedro.evaluation.figures import plot_contact_sheet, plot_reliability, plot_sample_grid
from mnist_kedro.evaluation.metrics import reliability_table

GREY = np.full((20, 40), 200, dtype=np.float32)
SEEN = np.zeros((28, 28), dtype=np.uint8)
GOOD = ("a.png", 5, 0.987, 3, 0.01, None)


def sheet(*rows, pictures=(GREY, SEEN), title=""):
    """A contact sheet of these predictions, all with the same pictures; 5 is a sandal."""
    columns = [
        "file",
        "prediction",
        "confidence",
        "second_prediction",
        "second_confidence",
        "warning",
    ]
    table = pd.DataFrame(rows, columns=columns)
    table = table.astype({"prediction": "Int64", "second_prediction": "Int64", "confidence": float})
    names = table["prediction"].map({5: "Sandal"}, na_action="ignore")
    return plot_contact_sheet([pictures] * len(rows), table.assign(class_name=names), title)


def texts(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def test_the_sample_grid_has_a_row_per_class_with_its_name_which_is_no_formula():
    images = np.repeat(np.arange(1, 6, dtype=np.uint8), 28 * 28).reshape(5, 28, 28)
    labels = np.array([1, 0, 1, 1, 0], np.uint8)
    figure = plot_sample_grid(images, labels, ["$x^$", "y"], 2, "title")
    figure.draw_without_rendering()
    (axes,) = figure.axes
    assert axes.images[0].get_array()[::28, ::28].tolist() == [[2, 5], [1, 3]]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == [r"\$x^\$", "y"]
    assert axes.get_title() == "title"


def test_the_reliability_diagram_shows_the_table():
    confidence = np.array([0.9, 0.9, 0.4, 0.9, 0.9, 0.7, 0.996])
    correct = np.array([True, True, False, True, True, False, False])
    bins = reliability_table(confidence, correct).assign(low=0, high=1)
    upper, lower = plot_reliability(bins).axes
    points = upper.containers[0].lines[0].get_xydata()
    np.testing.assert_array_equal(points, bins[["confidence", "accuracy"]])
    assert [bar.get_height() for bar in lower.patches] == [1, 1, 4, 1]
    error = 100 * (0.4 + 0.7 + 4 * 0.1 + 0.996) / 7
    assert upper.get_title() == f"Expected calibration error {error:.2f} %"


def test_without_probabilities_the_reliability_diagram_says_so():
    (text,) = plot_reliability(pd.DataFrame()).texts
    assert text.get_text().startswith("This classifier gives no probabilities")


def test_a_picture_stands_beside_what_the_model_saw_and_above_what_it_said():
    figure = sheet(GOOD, title="1 image")
    left, right = figure.axes[0].images
    np.testing.assert_array_equal(left.get_array(), GREY)
    np.testing.assert_array_equal(right.get_array(), SEEN)
    assert (left.get_cmap().name, right.get_cmap().name) == ("gray", "gray_r")  # dark ink in both
    assert left.get_clim() == right.get_clim() == (0, 255)
    x0, x1, y0, y1 = left.get_extent()
    assert (x1 - x0, y1 - y0) == (1, 0.5)  # as wide as it is
    assert figure.axes[0].get_aspect() == 1
    assert figure.get_suptitle() == "1 image"
    assert texts(figure) == ["Sandal  99 %", "a.png", ""]


def test_without_probabilities_there_is_only_the_label():
    assert texts(sheet(("a.png", 5, None, None, None, None)))[0] == "Sandal"


@pytest.mark.parametrize("picture", [None, GREY])
def test_what_cannot_be_read_or_is_blank_is_shown_with_the_reason(picture):
    row = ("notes.txt", None, None, None, None, "expected a digit, found none")
    figure = sheet(row, pictures=(picture, None))
    assert len(figure.axes[0].images) == (picture is not None)
    assert texts(figure) == ["no digit", "notes.txt", "expected a digit, found none"]


def test_long_names_keep_their_end_and_long_warnings_their_beginning():
    _, name, warning = texts(sheet((f"{'folder/' * 9}a.png", 5, 0.9, 3, 0.1, "too long " * 20)))
    assert name.startswith("…")
    assert name.endswith("folder/a.png")
    assert len(name) == 24
    assert warning.startswith("too long")
    assert len(warning) <= 90


def test_names_of_files_are_no_formulas():
    figure = sheet(("$x^{2$_\\frac.png", 5, 0.9, 3, 0.1, "$a$ %s {0}"))
    figure.draw_without_rendering()
    assert texts(figure)[1:] == ["$x^{2$_\\frac.png", "$a$ %s {0}"]


@pytest.mark.parametrize(
    ("count", "columns", "rows"), [(1, 1, 1), (4, 4, 1), (5, 4, 2), (24, 4, 6)]
)
def test_digits_stand_four_in_a_row_and_none_covers_another(count, columns, rows):
    (axes,) = sheet(*[GOOD] * count).axes
    extents = [image.get_extent() for image in axes.images]
    assert len({(x0, y0) for x0, _, y0, _ in extents}) == 2 * count
    assert len({x0 for x0, *_ in extents}) == 2 * columns
    (x_low, x_high), (y_low, y_high) = axes.get_xlim(), axes.get_ylim()
    assert x_low <= min(x0 for x0, *_ in extents)
    assert max(x1 for _, x1, *_ in extents) <= x_high
    assert y_low <= min(y0 for _, _, y0, _ in extents)
    assert y_high - y_low == pytest.approx(rows * 1.8, abs=0.1)
