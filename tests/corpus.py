"""Small valid files, as many kinds as are read."""

import gzip
import io
import json
import struct
import zlib

import numpy as np
from PIL import Image

from mnist_kedro.formats.idx import idx_header
from tests.drawings import STROKES, draw, on_paper

ITEM = 3, 4  # of the IDX files
ORIENTATION = 274  # the EXIF tag

DIGIT = draw(STROKES[5], shape=(48, 40), corner=(10, 12), size=(18, 26), pen=4)
GREY = Image.fromarray(on_paper(DIGIT).astype(np.uint8))
COLOURS = GREY.convert("RGB")
ALPHA = Image.merge("LA", [Image.new("L", GREY.size), Image.fromarray(np.uint8(255 * DIGIT))])
LIGHT = np.asarray(GREY)  # of each pixel


def encode(image, suffix, **options):
    """Return the bytes of a picture file."""
    file = io.BytesIO()
    image.save(file, suffix, **options)
    return file.getvalue()


def turned():
    """EXIF data that say that the camera was held upright."""
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    return exif


def with_checksums(png):
    """Return a PNG whose chunks have right checksums, or else its changes would show too soon."""
    start, mended = 8, bytearray(png)
    while start + 12 <= len(png):
        end = start + 8 + int.from_bytes(png[start : start + 4])
        mended[end : end + 4] = struct.pack(">I", zlib.crc32(png[start + 4 : end]))
        start = end + 4
    return bytes(mended)


def npy(array, version=(1, 0)):
    """Return the bytes of a NumPy file."""
    file = io.BytesIO()
    np.lib.format.write_array(file, array, version)
    return file.getvalue()


def npy_with_header(header):
    """Return the bytes of a NumPy file that begins with this header, of whatever length."""
    return b"\x93NUMPY\2\0" + struct.pack("<I", len(header)) + header + STACK.tobytes()


def csv(*columns, end="\n", first=""):
    """Return the bytes of a table with these columns, pixels, and two rows of numbers."""
    names = [*columns, *(f"pixel{number}" for number in range(784))]
    rows = [range(len(names)), [7] * len(names)]
    lines = [",".join(names), *(",".join(str(each % 256) for each in row) for row in rows), ""]
    return (first + end.join(lines)).encode()


RAW_IDX = [idx_header((n, *ITEM)) + bytes(range(12 * n)) for n in (1, 2, 20)]
IDX = [*RAW_IDX, *(gzip.compress(each, mtime=0) for each in RAW_IDX)]
PNG = [
    encode(GREY, "PNG"),
    encode(GREY.convert("1"), "PNG"),
    encode(Image.fromarray(LIGHT.astype(np.uint16) * 257), "PNG"),
    encode(GREY.quantize(4), "PNG", bits=2, transparency=1),
    encode(ALPHA, "PNG"),
    encode(ALPHA.convert("RGBA"), "PNG", exif=turned()),
    encode(COLOURS, "PNG", transparency=(255, 255, 255)),
    encode(COLOURS, "PNG", save_all=True, append_images=[COLOURS.rotate(90)]),
]
PICTURES = [
    *PNG,
    encode(GREY, "JPEG"),
    encode(COLOURS, "JPEG", progressive=True, exif=turned()),
    encode(COLOURS.convert("CMYK"), "JPEG"),
    encode(GREY.resize((960, 1152)), "JPEG", quality=20),
    encode(COLOURS, "MPO", save_all=True, append_images=[COLOURS]),
    encode(COLOURS, "WEBP"),
    encode(ALPHA.convert("RGBA"), "WEBP", lossless=True, exif=turned()),
    encode(COLOURS, "WEBP", save_all=True, append_images=[COLOURS.rotate(90)]),
    encode(GREY, "BMP"),
    encode(COLOURS, "BMP"),
    encode(GREY.convert("1"), "BMP"),
    encode(GREY.quantize(9), "BMP"),
    encode(GREY, "GIF"),
    encode(GREY.quantize(4), "GIF", transparency=1, interlace=1),
    encode(GREY, "GIF", save_all=True, append_images=[GREY.rotate(90)]),
    encode(GREY, "TIFF"),
    encode(COLOURS, "TIFF", compression="tiff_lzw", exif=turned()),
    encode(COLOURS, "TIFF", compression="jpeg"),
    encode(GREY, "TIFF", compression="tiff_adobe_deflate", big_tiff=True),
    encode(GREY, "TIFF", compression="packbits"),
    encode(GREY.convert("1"), "TIFF", compression="group4"),
    encode(GREY.quantize(4), "TIFF"),
    encode(ALPHA.convert("RGBA"), "TIFF"),
    encode(COLOURS.convert("CMYK"), "TIFF"),
    encode(Image.fromarray(LIGHT.astype(np.uint16) * 257), "TIFF"),
    encode(Image.fromarray(LIGHT.astype(np.int32)), "TIFF"),
    encode(Image.fromarray(LIGHT.astype(np.float32)), "TIFF"),
]
STACK = np.stack([LIGHT, 255 - LIGHT])
ARRAYS = [
    *(npy(STACK, version) for version in ((1, 0), (2, 0), (3, 0))),
    npy(np.asfortranarray(STACK)),
    npy(STACK[:1]),
    npy(STACK[:, 4:44, 4:36]),
]
ARRAY_HEADERS = [
    b"{'descr': '|u1', 'fortran_order': False, 'shape': (2, 48, 40), }",
    b"{'descr': [('a', '|u1', (2,))], 'fortran_order': True, 'shape': (1, 48, 40), }",
]
TABLES = [csv(), csv("label"), csv("label", end="\r\n", first="\N{BYTE ORDER MARK}")]
BLANK = np.zeros((28, 28), int).tolist()
BODIES = [
    json.dumps({"images": images}, indent=indent).encode()
    for images in (BLANK, [BLANK], [BLANK, BLANK])
    for indent in (None, 0)
]
