"""From picture files to grey values."""

from __future__ import annotations

import struct
import warnings
import zlib
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from mnist_kedro.parameters import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")
MAX_PIXELS = 50_000_000  # of a picture, checked before it is decompressed
SHARP_SIDE = 400  # pixels: large pictures are reduced until the longer side has 400 to 799
REDUCIBLE = ("L", "LA", "RGB", "RGBA")  # modes that Pillow can reduce without a conversion
WHITE = 255
SIXTEEN_BITS = 257  # white of 16 bits, 65,535, divided by white of 8 bits
# What Pillow's decoders raise for damaged files.
DAMAGED = (
    *(OSError, SyntaxError, ValueError, TypeError, LookupError, OverflowError, EOFError),
    *(struct.error, zlib.error),
)


# Pillow warns of harmless damage. `catch_warnings` is no way out: it is not safe in threads.
warnings.filterwarnings("ignore", module=r"PIL\.")


class PictureError(UserError):
    """A picture cannot be read; says what was expected and found, and what to do."""


def decode_picture(file: BinaryIO) -> NDArray[np.float32]:
    """Read a picture: PNG, JPEG, WebP, BMP, TIFF, or the first frame of a GIF.

    It is rotated as its EXIF data say. Transparent pixels become paper: black if the ink is light,
    otherwise white.

    Args:
        file: Opened for bytes.

    Returns:
        Grey values `(height, width)`, 0 = black, 255 = white; large pictures are reduced.

    Raises:
        PictureError: The file is no such picture, is damaged, or has over 50 million pixels.
    """
    try:
        image = Image.open(file, formats=FORMATS)
        if image.width * image.height > MAX_PIXELS:
            raise _too_large(f"{image.width:,} x {image.height:,}")
        return _decode(image)
    except PictureError:
        raise
    except (Image.DecompressionBombError, MemoryError) as error:
        raise _too_large("more than fits into memory") from error
    except UnidentifiedImageError as error:
        raise PictureError(
            f"that is not a picture: expected one of the formats {', '.join(FORMATS)}"
        ) from error
    except DAMAGED as error:
        raise PictureError(f"expected a whole picture, found a damaged one: {error}") from error


def _too_large(found: str) -> PictureError:
    return PictureError(
        f"expected at most {MAX_PIXELS:,} pixels, found {found}: make the picture smaller"
    )


def _decode(image: Image.Image) -> NDArray[np.float32]:
    share = SHARP_SIDE / max(image.size)
    # A JPEG can be decoded at a half, quarter or eighth of its size, which saves time.
    image.draft("L", (max(int(share * image.width), 1), max(int(share * image.height), 1)))
    image.load()
    ImageOps.exif_transpose(image, in_place=True)
    if image.mode in REDUCIBLE:  # at once, which saves memory
        image = _reduce(image)
    return np.asarray(_reduce(_to_grey(image)), dtype=np.float32)


def _reduce(image: Image.Image) -> Image.Image:
    factor = max(image.size) // SHARP_SIDE
    return image.reduce(factor) if factor > 1 else image


def _to_grey(image: Image.Image) -> Image.Image:
    """Return the picture in mode `L` or `F`, 0-255."""
    if image.mode.startswith(("I", "F")):
        step = max(max(image.size) // (2 * SHARP_SIDE), 1)
        values = np.asarray(image)[::step, ::step].astype(np.float64)
        if not np.isfinite(values).all():
            raise PictureError("expected grey values that are numbers, found some that are not")
        if image.mode.startswith("I;16"):
            return Image.fromarray(values / SIXTEEN_BITS)
        lowest, highest = values.min(), values.max()
        return Image.fromarray(WHITE * (values - lowest) / max(highest - lowest, 1e-6))
    if image.has_transparency_data:
        return _on_paper(image.convert("RGBA").convert("LA"))
    return image.convert("L")


def _on_paper(image: Image.Image) -> Image.Image:
    """Lay a picture of mode `LA` on white paper, or on black paper if its ink is light."""
    grey, alpha = image.split()
    ink = np.asarray(grey, dtype=np.float32)[np.asarray(alpha) > WHITE // 2]
    paper = 0 if ink.size and ink.mean() > WHITE / 2 else WHITE
    return Image.composite(grey, Image.new("L", image.size, paper), alpha)
