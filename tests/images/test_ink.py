import numpy as np
import pytest
from scipy import ndimage

from mnist_kedro.images.ink import find_ink, stroke_width
from tests.drawings import STROKES, draw, on_paper

FIVE = draw(STROKES[5])
AROUND = ndimage.binary_dilation(FIVE > 0, iterations=2)
Y, X = np.mgrid[-1:1:200j, -1:1:160j]
ROWS, COLUMNS = np.mgrid[:200, :160]
BLANK = {
    "white": np.full((200, 160), 255.0),
    "black": np.zeros((200, 160)),
    "grain": 200 + np.random.default_rng(0).normal(0, 6, (200, 160)),
    "strong noise": np.random.default_rng(0).uniform(0, 255, (200, 160)),
    "light in the middle": 250 - 60 * (X**2 + Y**2),
    "soft shadow": 240 * (1 - 0.4 / (1 + np.exp((X + 0.3 * Y) / 0.2))),
}
LIGHT = {
    "from one side": 1 - 0.25 * (1 + X),
    "in the middle": 1 - 0.2 * (X**2 + Y**2),
    "soft shadow": 1 - 0.4 / (1 + np.exp((X + 0.3 * Y) / 0.1)),
    "hard shadow": np.where(X + 0.2 * Y > 0.3, 0.6, 1),
}
RULINGS = {
    "ruled": ROWS % 24 < 2,
    "squared": (ROWS % 24 < 2) | (COLUMNS % 24 < 2),
    "sloping": (ROWS + 0.03 * COLUMNS) % 24 < 2,
}


@pytest.mark.parametrize("grey", BLANK.values(), ids=BLANK)
def test_there_is_no_ink_on_a_blank_sheet(grey):
    assert not find_ink(np.float32(grey)).any()


@pytest.mark.parametrize("name", ["ruled", "squared"])
def test_there_is_no_ink_on_a_ruled_sheet(name):
    assert not find_ink(on_paper(0.4 * RULINGS[name])).any()


def test_ink_is_where_it_was_drawn_with_its_grey_levels():
    ink = find_ink(on_paper(FIVE))
    assert ink.dtype == np.float32
    assert (ink[FIVE == 1] == 1).all()
    assert not ink[FIVE == 0].any()
    assert np.abs(ink - FIVE).max() < 0.25  # edges
    edge = (FIVE > 0.3) & (FIVE < 0.9)
    assert np.corrcoef(ink[edge], FIVE[edge])[0, 1] > 0.99


@pytest.mark.parametrize(("paper", "written"), [(255, 0), (200, 150), (90, 20), (0, 255), (40, 90)])
def test_ink_may_be_dark_or_light_strong_or_faint(paper, written):
    ink = find_ink(on_paper(FIVE, paper, written))
    assert np.abs(ink - FIVE).max() < 0.25
    assert not ink[FIVE == 0].any()


@pytest.mark.parametrize("light", LIGHT.values(), ids=LIGHT)
def test_light_and_shadows_are_no_ink(light):
    ink = find_ink(np.float32(light) * on_paper(FIVE))
    assert not ink[~AROUND].any()
    assert ink[FIVE == 1].min() > 0.5


@pytest.mark.parametrize("rulings", RULINGS.values(), ids=RULINGS)
def test_rulings_go_and_the_digit_that_they_cross_stays(rulings):
    ink = find_ink(on_paper(np.maximum(FIVE, 0.4 * rulings)))
    assert not ink[~AROUND].any()
    assert ink[FIVE == 1].mean() > 0.75


def test_strong_rulings_of_the_pens_own_colour_go_too():
    ink = find_ink(on_paper(np.maximum(FIVE, RULINGS["ruled"])))
    assert ink[FIVE == 0].mean() < 0.01
    assert ink[FIVE == 1].mean() > 0.75


def test_a_straight_stroke_from_edge_to_edge_is_no_ruling():
    bar = np.zeros((200, 160), dtype=np.float32)
    bar[90:100] = 1
    ink = find_ink(on_paper(bar))
    assert (ink[90:100] > 0.5).all()
    assert not ink[:85].any()


@pytest.mark.parametrize("shape", [(400, 8), (8, 400), (2000, 9), (9, 2000), (8, 8), (40, 39)])
def test_pictures_of_any_shape_can_be_searched(shape):
    bar = np.zeros(shape, dtype=np.float32)
    bar[shape[0] // 4 : -shape[0] // 4, shape[1] // 4 : -shape[1] // 4] = 1
    for paper, written in ((250, 20), (20, 250)):
        assert find_ink(on_paper(bar, paper, written)).shape == shape


@pytest.mark.parametrize("pen", [1, 2, 3, 5, 8])
def test_the_width_of_a_stroke_is_measured_in_pixels(pen):
    mask = np.zeros((60, 60), dtype=bool)
    mask[5:55, 20 : 20 + pen] = True
    assert stroke_width(mask) == pytest.approx(pen, abs=1)
    assert stroke_width(mask) == stroke_width(mask.T)
    assert pen % 2 == 0 or stroke_width(mask) == pen


def test_without_ink_strokes_have_no_width():
    assert stroke_width(np.zeros((10, 10), dtype=bool)) == 0
