"""Stand-in."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, NamedTuple

import numpy as np

from mnist_kedro.pictures import PictureError, decode_picture

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Seen(NamedTuple):
    """What the model sees, and what may be wrong with it."""

    image: NDArray[np.uint8]
    warning: str | None


def to_mnist_format(grey: NDArray[np.float32]) -> Seen:
    """Bring a picture to 28x28."""
    from PIL import Image

    if np.ptp(grey) == 0:
        raise PictureError("expected a digit, found a blank picture")
    small = Image.fromarray(grey.astype(np.uint8)).resize((28, 28))
    return Seen(255 - np.asarray(small), None)


def read_picture(file: BinaryIO) -> Seen:
    """Read a picture."""
    return to_mnist_format(decode_picture(file))
