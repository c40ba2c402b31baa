"""From a picture of a digit to MNIST's format: find the digit, adjust the width of its strokes."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, NamedTuple

import numpy as np
from scipy import ndimage

from mnist_kedro.formats.mnist_format import BOX, MIDDLE, SIDE, bring_to_format, crop, scale
from mnist_kedro.formats.pictures import WHITE, PictureError, decode_picture
from mnist_kedro.images.ink import LINK, find_ink, stroke_width

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from mnist_kedro.images.ink import Floats

FINER = 4  # times as many pixels along each side while strokes are made bolder or finer
STROKES = 2.0, 2.75  # pixels of 20: the width of most strokes in MNIST; others are adjusted
SPECK = 0.05  # of the ink of the largest part: a part with less is dirt
NEAR = 0.25  # of the digit's longer side: parts within this distance belong to the digit
TALL = 0.5  # of the digit's height: a part beside it that is at least so tall is another digit
SMALLEST_SIDE = 8  # pixels of a picture: fewer cannot show a digit
SMALLEST = 12  # pixels of the digit's longer side in the picture
FILLED = 0.4  # of the digit's longer side: wider ink is a blot, not a stroke


class Seen(NamedTuple):
    """A picture as a classifier sees it."""

    image: NDArray[np.uint8]  # (28, 28), 0 = paper, 255 = ink
    warning: str | None  # why the answer is likely to be wrong, if there is a reason


def warn_if_unsure(
    confidence: float | None, threshold: float | None, class_names: Iterable[str]
) -> str | None:
    """Return a warning if the confidence is below the threshold; where one is missing, `None`."""
    if confidence is None or threshold is None or confidence >= threshold:
        return None
    of_digits = all(map(str.isdecimal, class_names))
    return f"this may not be {'a digit' if of_digits else 'any of the classes'}"


def read_picture(file: BinaryIO) -> Seen:
    """Read a picture file, or raise a `PictureError`."""
    return to_mnist_format(decode_picture(file))


def to_mnist_format(grey: NDArray[np.float32] | NDArray[np.uint8]) -> Seen:
    """Bring a picture of a digit to MNIST's format, unless it has that format already.

    Args:
        grey: `(height, width)`, 0-255: dark ink on light paper, or light ink on dark paper.

    Raises:
        PictureError: It is blank, or has too few pixels.
    """
    if min(grey.shape) < SMALLEST_SIDE:
        height, width = grey.shape
        raise PictureError(
            f"expected at least {SMALLEST_SIDE} pixels in each direction, found {width} x {height}"
        )
    values = grey.astype(np.float32)
    for candidate in (values, WHITE - values):
        if _is_mnist_format(candidate):
            return Seen(candidate.astype(np.uint8), None)
    digit, several = _find_digit(find_ink(values))
    size = max(digit.shape)
    digit = scale(digit, FINER * BOX)
    width = stroke_width(digit > 1 / 2) / FINER
    image = bring_to_format(_change_weight(digit, width))
    return Seen(image, _warn(several, size, width))


def _warn(several: bool, size: int, width: float) -> str | None:
    if several:
        return "several digits: the largest was read, give it a picture of its own"
    if size < SMALLEST:
        return "too small: come closer, or write larger"
    if width > FILLED * BOX:
        return "mostly ink: there are no strokes, use a finer pen"
    return None


def _is_mnist_format(grey: Floats) -> bool:
    if grey.shape != (SIDE, SIDE) or grey.min() > 0 or grey.max() <= WHITE / 2:
        return False
    off_centre = np.abs(np.array(ndimage.center_of_mass(grey)) - MIDDLE)
    return max(crop(grey).shape) in (BOX - 1, BOX) and bool(off_centre.max() <= 1 / 2)


def _find_digit(ink: Floats) -> tuple[Floats, bool]:
    """Return the strokes of the largest digit, cut out, and whether there are more digits."""
    parts, count = ndimage.label(ink > 0, LINK)
    if count == 0:
        raise PictureError("expected a digit, found a blank picture: write it larger or darker")
    amounts = ndimage.sum_labels(ink, parts, np.arange(1, count + 1))
    boxes = np.array([[(s.start, s.stop) for s in box] for box in ndimage.find_objects(parts)])
    largest, *others = np.argsort(-amounts)
    digit, box, several = [largest], boxes[largest], False
    for part in others:
        if amounts[part] < SPECK * amounts[largest]:
            break
        gaps = np.maximum(boxes[part][:, 0] - box[:, 1], box[:, 0] - boxes[part][:, 1])
        height, width = box[:, 1] - box[:, 0]
        tall = boxes[part][0, 1] - boxes[part][0, 0] >= TALL * height
        if gaps.max() <= NEAR * max(height, width) and not (tall and gaps[1] >= 0):
            digit.append(part)
            ends = np.concatenate([box, boxes[part]], axis=1)
            box = np.stack([ends.min(axis=1), ends.max(axis=1)], axis=1)
        else:
            several |= bool(tall)
    (top, bottom), (left, right) = box
    chosen = np.isin(parts, np.array(digit) + 1)
    return (ink * chosen)[top:bottom, left:right], several


def _change_weight(digit: Floats, width: float) -> Floats:
    """Bring strokes, `width` pixels of MNIST wide, to a width that is usual there.

    The digit, 0-1, is `FINER` times as large as in MNIST.
    """
    bolder = float(np.clip(width, *STROKES)) - width
    if not bolder or not width:
        return digit
    mask = np.pad(digit > 1 / 2, FINER * BOX // 4)
    outside, inside = ndimage.distance_transform_edt(~mask), ndimage.distance_transform_edt(mask)
    depth = inside - outside + np.where(mask, -1 / 2, 1 / 2)
    changed: Floats = np.clip((depth + bolder * FINER / 2) / FINER + 1 / 2, 0, 1)
    return changed
