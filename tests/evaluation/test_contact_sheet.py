import numpy as np
import pandas as pd
import pytest

from mnist_kedro.evaluation.contact_sheet import plot_contact_sheet

GREY = np.full((20, 40), 200, dtype=np.float32)
SEEN = np.zeros((28, 28), dtype=np.uint8)
NAMES = {5: "Sandal"}
COLUMNS = ["file", "label", "confidence", "second_label", "second_confidence", "warning"]


def table(*rows):
    frame = pd.DataFrame([[*row, None][:6] for row in rows], columns=COLUMNS)
    frame = frame.astype({"label": "Int64", "second_label": "Int64", "confidence": float})
    return frame.assign(name=frame["label"].map(NAMES, na_action="ignore"))


GOOD = ("a.png", 5, 0.987, 3, 0.01)


def texts(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def test_a_picture_stands_beside_what_the_model_saw():
    figure = plot_contact_sheet([(GREY, SEEN)], table(GOOD), "1 image")
    left, right = figure.axes[0].images
    np.testing.assert_array_equal(left.get_array(), GREY)
    np.testing.assert_array_equal(right.get_array(), SEEN)
    assert (left.get_cmap().name, right.get_cmap().name) == (
        "gray",
        "gray_r",
    )  # ink is dark in both
    assert left.get_clim() == right.get_clim() == (0, 255)
    assert figure.get_suptitle() == "1 image"


def test_pictures_keep_their_shape():
    figure = plot_contact_sheet([(GREY, SEEN)], table(GOOD), "")
    x0, x1, y0, y1 = figure.axes[0].images[0].get_extent()
    assert (x1 - x0, y1 - y0) == (1, 0.5)
    assert figure.axes[0].get_aspect() == 1


def test_what_the_model_said_stands_below():
    figure = plot_contact_sheet([(GREY, SEEN)], table(GOOD), "")
    assert texts(figure) == ["Sandal  99 %", "a.png", ""]


def test_without_probabilities_there_is_only_the_label():
    figure = plot_contact_sheet([(GREY, SEEN)], table(("a.png", 5, None, None, None)), "")
    assert texts(figure)[0] == "Sandal"


def test_a_file_that_cannot_be_read_is_shown_with_the_reason():
    row = ("notes.txt", None, None, None, None, "expected a picture, found something else")
    figure = plot_contact_sheet([(None, None)], table(row), "")
    assert not figure.axes[0].images
    assert texts(figure) == ["no digit", "notes.txt", "expected a picture, found something else"]


def test_a_blank_picture_is_shown_without_what_the_model_would_have_seen():
    row = ("blank.png", None, None, None, None, "expected a digit, found a blank picture")
    figure = plot_contact_sheet([(GREY, None)], table(row), "")
    assert len(figure.axes[0].images) == 1


def test_long_names_keep_their_end_and_long_warnings_their_beginning():
    row = (f"{'folder/' * 9}a.png", 5, 0.9, 3, 0.1, "too long " * 20)
    _, name, warning = texts(plot_contact_sheet([(GREY, SEEN)], table(row), ""))
    assert name.startswith("…")
    assert name.endswith("folder/a.png")
    assert len(name) == 24
    assert warning.startswith("too long")
    assert len(warning) <= 90


def test_names_are_no_formulas():
    row = ("$x^{2$_\\frac.png", 5, 0.9, 3, 0.1, "$a$ %s {0}")
    figure = plot_contact_sheet([(GREY, SEEN)], table(row), "")
    figure.canvas.draw()
    assert texts(figure)[1:] == ["$x^{2$_\\frac.png", "$a$ %s {0}"]


@pytest.mark.parametrize(
    ("count", "columns", "rows"), [(1, 1, 1), (4, 4, 1), (5, 4, 2), (24, 4, 6)]
)
def test_digits_stand_four_in_a_row_and_none_covers_another(count, columns, rows):
    figure = plot_contact_sheet([(GREY, SEEN)] * count, table(*[GOOD] * count), "")
    extents = [image.get_extent() for image in figure.axes[0].images]
    assert len({(x0, y0) for x0, _, y0, _ in extents}) == 2 * count
    assert len({x0 for x0, *_ in extents}) == 2 * columns
    lefts, rights = ({extent[side] for extent in extents} for side in (0, 1))
    (x_low, x_high), (y_low, y_high) = figure.axes[0].get_xlim(), figure.axes[0].get_ylim()
    assert x_low <= min(lefts)
    assert max(rights) <= x_high
    assert y_low <= min(extent[2] for extent in extents)
    assert y_high - y_low == pytest.approx(rows * 1.8, abs=0.1)
