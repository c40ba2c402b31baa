import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates
from sklearn.utils import get_tags

from mnist_kedro.classifiers import Deskew
from mnist_kedro.classifiers.deskew import TALL, WIDE, _places
from mnist_kedro.data.sources import embedded_digits

ROWS, COLUMNS = np.mgrid[:28, :28] - 13.5


def blot(slant=0.0, tall=5.0, wide=2.0, right=0.0, down=0.0):
    """Soft ink that leans by so many columns per row, so large and off the centre, `uint8`."""
    rows, columns = ROWS - down, COLUMNS - right
    ink = np.exp(-(((columns - slant * rows) / wide) ** 2) / 2 - (rows / tall) ** 2 / 2)
    return (255 * ink).round().astype(np.uint8)


def moments(image):
    """Return row and column of the centre, standard deviations down and across, and the slant."""
    ink = image / image.sum()
    row, column = (ink * ROWS).sum(), (ink * COLUMNS).sum()
    down, across = (ink * (ROWS - row) ** 2).sum(), (ink * (COLUMNS - column) ** 2).sum()
    slant = (ink * (ROWS - row) * (COLUMNS - column)).sum() / down
    return np.array([row, column, down**0.5, across**0.5, slant])


STANDARD = [0, 0, TALL * 28, WIDE * 28, 0]


@pytest.mark.parametrize(
    "change",
    [
        {"slant": -0.6},
        {"slant": 0.3},
        {"tall": 3.0},
        {"wide": 1.7},
        {"wide": 4.0},
        {"right": 3.0, "down": -2.0},
        {"slant": 0.5, "tall": 4.0, "wide": 3.0, "right": -2.0, "down": 1.0},
    ],
)
def test_ink_is_set_upright_in_the_middle_and_of_one_size(change):
    image = blot(**change)
    assert moments(image) != pytest.approx(STANDARD, abs=0.2)
    (changed,) = Deskew().transform(image[None])
    assert moments(changed) == pytest.approx(STANDARD, abs=0.2)


def test_what_is_as_it_should_be_stays():
    image = blot(tall=TALL * 28, wide=WIDE * 28)
    (same,) = Deskew().transform(image[None])
    assert np.abs(same.astype(int) - image).max() <= 8


def test_a_blank_image_stays_blank_and_lines_and_dots_stay_thin():
    images = np.zeros((3, 28, 28), dtype=np.uint8)
    images[1, 5, 3:9] = 200
    images[2, 5, 7] = 255
    blank, line, dot = Deskew().transform(images)
    assert not blank.any()
    _, _, down, across, _ = moments(line)
    assert down < 0.55
    assert across == pytest.approx(WIDE * 28, abs=0.2)
    assert dot.astype(int).sum() == pytest.approx(255, abs=2)


def test_real_digits_keep_type_and_shape_and_originals_are_left_alone():
    images = embedded_digits().test_images
    before = images.copy()
    changed = Deskew().fit(images).transform(images)
    assert (changed.dtype, changed.shape) == (np.uint8, before.shape)
    np.testing.assert_array_equal(images, before)
    spread = np.std([moments(image) for image in changed], axis=0)
    assert (spread < np.std([moments(image) for image in before], axis=0)).all()
    assert spread.max() < 0.3


def test_between_pixels_it_interpolates_as_scipy_does():
    images = np.random.default_rng(0).integers(0, 256, (300, 28, 28), dtype=np.uint8)
    images[:, 5:, 9:] = 0  # so that places outside of the image are asked for
    places = zip(*torch.broadcast_tensors(*_places(torch.tensor(images).double())), strict=True)
    expected = [
        map_coordinates(image, place, order=1, output=np.uint8)
        for image, place in zip(images, places, strict=True)
    ]
    np.testing.assert_array_equal(Deskew().transform(images), expected)


def test_it_says_that_it_takes_images_and_learns_nothing():
    tags = get_tags(Deskew())
    assert tags.input_tags.three_d_array
    assert not tags.requires_fit
