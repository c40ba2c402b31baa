"""Stand-in."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class PictureError(ValueError):
    """A file is no picture that can be read."""


def decode_picture(file: BinaryIO) -> NDArray[np.float32]:
    """Return the grey values of a picture, 0-255."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(file, formats=["PNG", "JPEG"]) as picture:
            if picture.width * picture.height > 50_000_000:
                raise PictureError("expected at most 50 megapixels, found more")
            return np.asarray(picture.convert("L"), np.float32)
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise PictureError("expected a PNG or JPEG picture, found something else") from error
