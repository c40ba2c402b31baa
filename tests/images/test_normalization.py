import warnings

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from mnist_kedro.data.sources import embedded_digits
from mnist_kedro.formats.pictures import PictureError
from mnist_kedro.images.normalization import SMALLEST, to_mnist_format, warn_if_unsure
from tests.drawings import STROKES, draw, on_paper

Y, X = np.mgrid[-1:1:200j, -1:1:160j]
SEVERAL = "several digits: the largest was read, give it a picture of its own"
digits = pytest.mark.parametrize("digit", STROKES)


def see(grey):
    """Read a picture that there is no reason to warn about."""
    image, warning = to_mnist_format(np.clip(grey, 0, 255))
    assert warning is None
    check_format(image)
    return image


def check_format(image, sides=(20,)):
    assert image.dtype == np.uint8
    assert image.shape == (28, 28)
    rows, columns = np.nonzero(image)
    assert max(np.ptp(rows), np.ptp(columns)) + 1 in sides
    if not (image[[0, -1]].any() or image[:, [0, -1]].any()):  # as near as the edges let it
        assert np.abs(np.array(ndimage.center_of_mass(image)) - 14).max() <= 0.55


def difference(image, other):
    """Return what differs, as a share of the ink, wherever the middle was rounded to."""
    moved = [np.roll(image, (y, x), (0, 1)) for y in (-1, 0, 1) for x in (-1, 0, 1)]
    return min(np.abs(one.astype(float) - other).sum() for one in moved) / other.sum()


def rulings(every, width):
    lines = np.zeros((200, 160))
    lines[20::every] = lines[21::every] = width
    return lines


@digits
def test_the_corner_that_it_was_written_in_does_not_matter(digit):
    middle = see(on_paper(draw(STROKES[digit])))
    for corner in ((6, 6), (90, 6), (6, 90), (90, 90)):
        assert difference(see(on_paper(draw(STROKES[digit], corner=corner))), middle) < 0.01


@digits
@pytest.mark.parametrize("scale", [0.25, 4])
def test_its_size_does_not_matter(digit, scale):
    shape = round(200 * scale), round(160 * scale)
    box = {"corner": (40 * scale, 50 * scale), "size": (60 * scale, 100 * scale)}
    scaled = draw(STROKES[digit], shape, pen=10 * scale, **box)
    assert difference(see(on_paper(scaled)), see(on_paper(draw(STROKES[digit])))) < 0.3


@digits
@pytest.mark.parametrize("pen", [4, 16, 22])
def test_the_pen_hardly_matters(digit, pen):
    image = see(on_paper(draw(STROKES[digit], pen=pen)))
    middle = see(on_paper(draw(STROKES[digit], pen=10)))
    assert difference(image, middle) < 0.6
    drawn = np.sqrt(draw(STROKES[digit], pen=pen).sum() / draw(STROKES[digit], pen=10).sum())
    seen = np.sqrt(image.sum() / middle.sum())
    assert abs(np.log(seen)) < abs(np.log(drawn))


@digits
def test_light_grain_and_rulings_together_do_not_matter(digit):
    ink = draw(STROKES[digit])
    grain = np.random.default_rng(digit).normal(0, 3, ink.shape)
    light = 1 - 0.25 * (1 + X)
    seen = see(light * on_paper(np.maximum(ink, rulings(24, 0.4))) + grain)
    assert difference(seen, see(on_paper(ink))) < 0.6


@digits
@pytest.mark.parametrize(("top", "left"), [(5, 5), (100, 108), (190, 80)])
def test_specks_do_not_matter(digit, top, left):
    ink = draw(STROKES[digit])
    with_speck = ink.copy()
    with_speck[top : top + 4, left : left + 4] = 1
    np.testing.assert_array_equal(see(on_paper(with_speck)), see(on_paper(ink)))


def test_a_stroke_of_its_own_belongs_to_the_digit():
    body = [[(0.15, 0.15), (0.15, 0.45), (0.6, 0.4), (0.85, 0.7), (0.6, 1), (0.1, 0.9)]]
    bar = [[(0.3, -0.05), (0.9, -0.05)]]
    apart = see(on_paper(draw(body + bar)))
    assert difference(apart, see(on_paper(draw(body)))) > 0.4
    joined = see(on_paper(draw([*body, *bar, [(0.15, 0.15), (0.3, -0.05)]])))
    assert difference(apart, joined) < 0.2


@pytest.mark.parametrize("digit", [2, 4, 5, 7])
@pytest.mark.parametrize("margin", [0, 1, 5])
def test_a_digit_that_fills_its_picture_keeps_its_bars(digit, margin):
    shape, corner = (110 + 2 * margin, 70 + 2 * margin), (5 + margin, 5 + margin)
    tight = see(on_paper(draw(STROKES[digit], shape, corner)))
    assert difference(tight, see(on_paper(draw(STROKES[digit])))) < 0.35


@pytest.mark.parametrize("margin", [0, 20])
def test_several_digits_are_warned_of_and_the_largest_is_read(margin):
    both = draw(STROKES[2], (200, 320), (180 + margin, 50), (60, 100))
    alone = see(on_paper(both))
    both = np.maximum(both, draw(STROKES[5], (200, 320), (60, 60), (45, 80)))
    image, warning = to_mnist_format(on_paper(both))
    assert warning == SEVERAL
    assert difference(image, alone) < 0.05


def test_a_small_digit_is_warned_of():
    small = draw(STROKES[4], (60, 60), (25, 25), (5, 8), 2)
    image, warning = to_mnist_format(on_paper(small))
    assert warning == "too small: come closer, or write larger"
    check_format(image)


@pytest.mark.parametrize("radius", [12, 25, 35])
@pytest.mark.parametrize(("paper", "written"), [(240, 40), (30, 230)])
def test_a_blot_is_warned_of_however_large(radius, paper, written):
    rows, columns = np.mgrid[-50:50, -50:50]
    for blot in (np.hypot(rows, columns) < radius, np.maximum(abs(rows), abs(columns)) < radius):
        image, warning = to_mnist_format(on_paper(blot, paper, written))
        assert warning == "mostly ink: there are no strokes, use a finer pen"
        check_format(image)


def test_a_blank_picture_is_refused():
    for grey in (np.full((50, 40), 255), 180 + 60 * X - 15 * Y, on_paper(rulings(24, 0.5))):
        with pytest.raises(PictureError, match="expected a digit, found a blank picture"):
            to_mnist_format(np.float32(grey))


def test_a_picture_of_a_few_pixels_is_refused():
    with pytest.raises(PictureError, match="at least 8 pixels in each direction, found 90 x 7"):
        to_mnist_format(np.zeros((7, 90), dtype=np.uint8))


def test_an_image_of_mnist_stays_what_it_is():
    drawn = see(on_paper(draw(STROKES[5])))
    for image in (drawn, 255 - drawn):
        seen = to_mnist_format(image)
        np.testing.assert_array_equal(seen.image, drawn)
        assert seen.warning is None


def test_an_image_that_is_a_little_off_the_middle_is_brought_there():
    for image in embedded_digits().test_images[:30]:
        seen, _ = to_mnist_format(np.roll(image, (1, -1), (0, 1)))
        check_format(seen, sides=(19, 20))


PIXELS = st.sampled_from([0, 1, 40, 128, 200, 254, 255]) | st.integers(0, 255)
ANY = arrays(
    np.uint8, array_shapes(min_dims=2, max_dims=2, min_side=8, max_side=60), elements=PIXELS
)
DOTS = np.full((17, 10), 5, dtype=np.uint8)
DOTS[[0, 0, 0, 15, 16], [0, 2, 4, 0, 1]] = 161, 254, 219, 128, 189
CHECKERBOARD = np.uint8(255) * (np.indices((40, 40)).sum(axis=0) % 2 == 0)


@settings(max_examples=120, deadline=None)
@given(grey=ANY)
@example(grey=CHECKERBOARD.repeat(4, axis=0).repeat(4, axis=1))
@example(grey=np.pad(CHECKERBOARD[:4, :200], ((2, 2), (180, 180))))
@example(grey=np.eye(50, dtype=np.uint8) * 255)
@example(grey=DOTS)
def test_any_picture_is_brought_to_the_format_or_refused(grey):
    with warnings.catch_warnings(action="error"):
        try:
            image, warning = to_mnist_format(grey)
        except PictureError:
            return
    # Of what has few pixels, the tips may be too faint to be seen.
    check_format(image, sides=(19, 20) if warning is None else range(SMALLEST, 21))


@pytest.mark.parametrize(
    ("confidence", "threshold", "class_names", "warning"),
    [
        (0.8, 0.9, ["0", "10"], "this may not be a digit"),
        (0.8, 0.9, ["0", "A"], "this may not be any of the classes"),
        (0.9, 0.9, ["0", "A"], None),
        (None, 0.9, ["0", "A"], None),
        (0.8, None, ["0", "A"], None),
    ],
)
def test_who_is_less_sure_gets_a_warning(confidence, threshold, class_names, warning):
    assert warn_if_unsure(confidence, threshold, class_names) == warning
