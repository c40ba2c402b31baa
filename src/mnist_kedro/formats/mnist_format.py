"""MNIST's format, made from larger pictures as its authors did.

The digit's longer side fills 20 pixels, anti-aliased, and its centre of mass lies in the middle of
28x28: LeCun et al., 1998, "Gradient-based learning applied to document recognition".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mnist_kedro.lazy import np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIDE = 28  # pixels, of an image
BOX = 20  # pixels, of the box that a digit fills
MIDDLE = SIDE / 2  # row and column where MNIST has its digits' centres, to half a pixel
INK = 255


def bring_to_format(ink: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Scale a digit into the box and centre it.

    Args:
        ink: `(height, width)`, 0 = paper, 1 = full ink; not blank.

    Returns:
        `uint8 (28, 28)`, 0 = paper, 255 = full ink.
    """
    from scipy.ndimage import center_of_mass

    digit = scale(crop(ink), BOX)
    image = np.zeros((SIDE, SIDE), dtype=np.uint8)
    corner = np.rint(MIDDLE - np.array(center_of_mass(digit))).astype(int)
    top, left = np.clip(corner, 0, np.subtract(image.shape, digit.shape))
    height, width = digit.shape
    image[top : top + height, left : left + width] = np.rint(INK * np.clip(digit, 0, 1))
    return image


def crop(ink: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cut off the blank rows and columns around the ink."""
    rows, columns = np.nonzero(ink)
    return ink[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]


def scale(digit: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Scale a digit, with anti-aliasing, so that its longer side has `side` pixels."""
    from PIL import Image

    height, width = (max(round(side * n / max(digit.shape)), 1) for n in digit.shape)
    image = Image.fromarray(np.ascontiguousarray(digit, dtype=np.float32))
    return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))
