"""Training images, turned, moved, scaled and sheared at random each time they are seen.

Simard et al., 2003, "Best practices for convolutional neural networks applied to visual document
analysis", the affine part.
"""

from __future__ import annotations

import math

import torch
from pydantic import Field
from torch.nn.functional import affine_grid, grid_sample

from mnist_kedro.parameters import Parameters


class Augmentation(Parameters):
    """How far images are changed at most; each change is uniform in both directions."""

    rotation: float = Field(0.0, ge=0, le=180)  # degrees
    shift: float = Field(0.0, ge=0)  # pixels, in each direction of its own
    scale: float = Field(0.0, ge=0, lt=1)  # 0.1: between 90 and 110 % of the size
    shear: float = Field(0.0, ge=0, lt=90)  # degrees that an upright line leans


def augment(images: torch.Tensor, augmentation: Augmentation) -> torch.Tensor:
    """Change each image by a random affine transformation of its own, about its centre.

    Args:
        images: `float32 (n, height, width)`; 0 is the background, which also fills what moves in.
        augmentation: How far.

    Returns:
        The images, bilinearly interpolated, same shape and range. The random numbers are those of
        PyTorch's generator on the images' device.
    """
    n, height, width = images.shape
    grid = affine_grid(
        random_matrices(n, (height, width), augmentation, images.device),
        [n, 1, height, width],
        align_corners=False,
    )
    return grid_sample(images.unsqueeze(1), grid, align_corners=False).squeeze(1)


def random_matrices(
    n: int, size: tuple[int, int], augmentation: Augmentation, device: torch.device
) -> torch.Tensor:
    """Return the transformation from each new pixel to where it comes from, `(n, 2, 3)`.

    The coordinates are those of `affine_grid`: x and y from -1 to 1 over the image.
    """
    angle, shear, size_change, right, down = (2 * torch.rand(5, n, device=device) - 1).unbind()
    angle = math.radians(augmentation.rotation) * angle
    shear = torch.tan(math.radians(augmentation.shear) * shear)
    # To become larger, an image takes its pixels from a smaller part of itself.
    zoom = 1 / (1 + augmentation.scale * size_change)
    cos, sin = zoom * torch.cos(angle), zoom * torch.sin(angle)
    height, width = size
    return torch.stack(
        [
            torch.stack([cos, shear * cos - sin, 2 * augmentation.shift / width * right], dim=1),
            torch.stack([sin, shear * sin + cos, 2 * augmentation.shift / height * down], dim=1),
        ],
        dim=1,
    )
