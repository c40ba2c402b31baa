import numpy as np
import pytest
from scipy.ndimage import center_of_mass

from mnist_kedro.formats.mnist_format import bring_to_format, scale


def test_a_bar_fills_the_box_and_lies_in_the_middle():
    ink = np.zeros((60, 90), dtype=np.float32)
    ink[5:55, 70:80] = 1
    image = bring_to_format(ink)
    expected = np.zeros((28, 28), dtype=np.uint8)
    expected[4:24, 12:16] = 255  # its centre is 13.5, half a pixel from 14
    np.testing.assert_array_equal(image, expected)


def test_of_a_lopsided_digit_the_centre_of_mass_is_in_the_middle():
    ink = np.zeros((40, 40), dtype=np.float32)
    ink[:, 5:10], ink[30:, 5:30] = 1, 1
    image = bring_to_format(ink)
    rows, columns = np.nonzero(image)
    assert max(np.ptp(rows), np.ptp(columns)) + 1 == 20
    np.testing.assert_allclose(center_of_mass(image), 14, atol=0.5)


def test_ink_stays_inside_the_image():
    ink = np.zeros((20, 20), dtype=np.float32)
    ink[:, 0], ink[0] = 1, 0.01  # the middle of its mass lies at its left edge
    image = bring_to_format(ink)
    assert image.shape == (28, 28)
    assert (image == 255).sum() == 19


@pytest.mark.parametrize(
    ("shape", "scaled"), [((40, 10), (20, 5)), ((3, 7), (9, 20)), ((500, 1), (20, 1))]
)
def test_the_longer_side_has_the_pixels_and_the_other_its_share(shape, scaled):
    digit = scale(np.ones(shape, dtype=np.float32), 20)
    assert digit.shape == scaled
    np.testing.assert_allclose(digit, 1)
