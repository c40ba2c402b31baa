import math
import re

import pytest
import torch

from mnist_kedro.classifiers.augmentation import Augmentation, augment, random_matrices

SIZE = 28
COORDINATES = torch.arange(SIZE, dtype=torch.float) - (SIZE - 1) / 2
CPU = torch.device("cpu")


def blot(right=0.0, down=0.0, wide=2.0, tall=2.0):
    """An image of one soft blot, so far from the centre and so large, in pixels."""
    across = torch.exp(-(((COORDINATES - right) / wide) ** 2) / 2)
    along = torch.exp(-(((COORDINATES - down) / tall) ** 2) / 2)
    return torch.outer(along, across)


def centres(images):
    """Where the ink of each image is, in pixels right of and below the centre, `(n, 2)`."""
    ink = images.sum(dim=(1, 2))
    return torch.stack(
        [images.sum(dim=1) @ COORDINATES / ink, images.sum(dim=2) @ COORDINATES / ink], dim=1
    )


def lengths(images):
    """Standard deviation of the ink in every direction together, in pixels, `(n,)`."""
    x, y = centres(images).T
    squares = COORDINATES**2
    ink = images.sum(dim=(1, 2))
    spread = images.sum(dim=1) @ squares / ink + images.sum(dim=2) @ squares / ink
    return (spread - x**2 - y**2).sqrt()


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def test_nothing_is_changed_by_zeros():
    images = torch.rand(5, SIZE, SIZE)
    torch.testing.assert_close(augment(images, Augmentation()), images, atol=1e-5, rtol=0)


def test_the_same_seed_gives_the_same_images_and_another_seed_others():
    images, augmentation = blot().repeat(8, 1, 1), Augmentation(rotation=10, shift=2, scale=0.1)
    first = augment(images, augmentation)
    torch.manual_seed(0)
    assert torch.equal(augment(images, augmentation), first)
    assert not torch.equal(augment(images, augmentation), first)
    assert not torch.equal(first[0], first[1])  # each image has its own


def test_images_move_by_up_to_the_shift_in_each_direction():
    moved = centres(augment(blot().repeat(2000, 1, 1), Augmentation(shift=3)))
    assert moved.abs().max() == pytest.approx(3, abs=0.05)
    assert moved.std(dim=0).tolist() == pytest.approx([3 / math.sqrt(3)] * 2, rel=0.05)  # uniform
    assert moved.mean(dim=0).tolist() == pytest.approx([0, 0], abs=0.15)


def test_images_turn_by_up_to_the_rotation_about_the_centre():
    turned = centres(augment(blot(right=8).repeat(2000, 1, 1), Augmentation(rotation=30)))
    angles = torch.rad2deg(torch.atan2(turned[:, 1], turned[:, 0]))
    assert angles.abs().max() == pytest.approx(30, abs=0.5)
    assert angles.std().item() == pytest.approx(30 / math.sqrt(3), rel=0.05)
    assert turned.norm(dim=1).mean().item() == pytest.approx(8, abs=0.1)


def test_images_grow_and_shrink_by_up_to_the_scale():
    image = blot(wide=3, tall=3)
    sizes = lengths(augment(image.repeat(2000, 1, 1), Augmentation(scale=0.2)))
    relative = sizes / lengths(image[None])
    assert relative.max().item() == pytest.approx(1.2, abs=0.02)
    assert relative.min().item() == pytest.approx(0.8, abs=0.02)


def test_upright_lines_lean_by_up_to_the_shear_and_level_ones_stay():
    above, beside = blot(down=-8), blot(right=8)
    x, y = centres(augment(above.repeat(2000, 1, 1), Augmentation(shear=20))).T
    leaning = torch.rad2deg(torch.atan2(x, -y))
    assert leaning.abs().max() == pytest.approx(20, abs=0.5)
    assert y.mean().item() == pytest.approx(-8, abs=0.05)
    stay = centres(augment(beside.repeat(100, 1, 1), Augmentation(shear=20)))
    torch.testing.assert_close(stay, torch.tensor([[8.0, 0.0]]).repeat(100, 1), atol=0.05, rtol=0)


def test_ink_stays_within_its_range_and_what_gets_free_is_paper():
    images = torch.ones(100, SIZE, SIZE)
    changed = augment(images, Augmentation(rotation=20, shift=5, scale=0.2, shear=20))
    assert 0 <= changed.min() < 0.01
    assert changed.max() <= 1 + 1e-5


def test_images_need_not_be_square():
    matrices = random_matrices(1000, (10, 20), Augmentation(shift=1), CPU)
    assert matrices[:, 0, 2].abs().max() == pytest.approx(2 / 20, rel=0.01)
    assert matrices[:, 1, 2].abs().max() == pytest.approx(2 / 10, rel=0.01)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"rotation": -1}, "'rotation' should be greater than or equal to 0, found -1"),
        ({"scale": 1}, "'scale' should be less than 1, found 1"),
        ({"shear": 90}, "'shear' should be less than 90, found 90"),
        ({"rotaton": 1}, "did you mean 'rotation'?"),
    ],
)
def test_impossible_changes_are_refused(wrong, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        Augmentation.model_validate(wrong)
