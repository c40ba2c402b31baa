import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from mnist_kedro.formats.pictures import PictureError, decode_picture

# Asymmetric, of even values; a JPEG loses little of it.
GREY = np.add.outer(np.arange(16) * 8, np.arange(12) * 10).astype(np.uint8)
PICTURE = Image.fromarray(GREY)
ORIENTATION = 274  # the EXIF tag


def encode(image, suffix, **options):
    file = io.BytesIO()
    image.save(file, suffix, **options)
    return file.getvalue()


def decode(data):
    return decode_picture(io.BytesIO(data))


LOSSLESS = {
    "png": encode(PICTURE, "PNG"),
    "png with a palette": encode(PICTURE.convert("P"), "PNG"),
    "webp": encode(PICTURE.convert("RGB"), "WEBP", lossless=True),
    "bmp": encode(PICTURE, "BMP"),
    "gif": encode(PICTURE, "GIF"),
    "tiff": encode(PICTURE, "TIFF"),
}
LOSSY = {
    "jpeg": encode(PICTURE, "JPEG", quality=95),
    "jpeg for printing": encode(PICTURE.convert("RGB").convert("CMYK"), "JPEG", quality=95),
    "webp with losses": encode(PICTURE.convert("RGB"), "WEBP", quality=100),
}


@pytest.mark.parametrize("data", LOSSLESS.values(), ids=LOSSLESS)
def test_lossless_formats_give_the_exact_grey_values(data):
    grey = decode(data)
    assert grey.dtype == np.float32
    np.testing.assert_array_equal(grey, GREY)


@pytest.mark.parametrize("data", LOSSY.values(), ids=LOSSY)
def test_lossy_formats_give_them_nearly(data):
    np.testing.assert_allclose(decode(data), GREY, atol=4)


@pytest.mark.parametrize("suffix", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_pictures_are_turned_as_their_camera_was_held(suffix):
    exif = Image.Exif()
    exif[ORIENTATION] = 6  # to be shown turned clockwise
    image = Image.fromarray(np.ascontiguousarray(np.rot90(GREY))).convert("RGB")
    options = {"JPEG": {"quality": 95}, "WEBP": {"lossless": True}}.get(suffix, {})
    grey = decode(encode(image, suffix, exif=exif, **options))
    np.testing.assert_allclose(grey, GREY, atol=4 if suffix == "JPEG" else 0)


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
@pytest.mark.parametrize(("ink", "paper"), [(20, 255), (240, 0)])
def test_what_is_transparent_becomes_paper_that_ink_can_be_seen_on(ink, paper, mode):
    """A bar of ink, and nothing around it, not even paper."""
    alpha = np.zeros((20, 20), dtype=np.uint8)
    alpha[4:16, 9:12] = 255
    bands = [Image.new("L", (20, 20), ink), Image.fromarray(alpha)]
    expected = np.where(alpha, ink, paper)
    data = encode(Image.merge("LA", bands).convert(mode), "PNG")
    np.testing.assert_array_equal(decode(data), expected)


def test_a_transparent_colour_of_a_palette_becomes_paper():
    image = Image.new("P", (10, 10), 1)
    image.putpalette([0, 0, 0, 90, 90, 90])
    image.putpixel((4, 5), 0)
    for suffix in ("PNG", "GIF"):
        grey = decode(encode(image, suffix, transparency=1))
        assert grey[5, 4] == 0, suffix
        assert np.count_nonzero(grey == 255) == 99, suffix


def test_sixteen_bits_keep_their_levels():
    values = GREY.astype(np.uint16) * 257 + 100
    grey = decode(encode(Image.fromarray(values), "PNG"))
    np.testing.assert_allclose(grey, values / 257, rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_numbers_of_no_known_range_are_stretched_from_black_to_white(dtype):
    values = 3 * (GREY.astype(dtype) - 50)
    grey = decode(encode(Image.fromarray(values), "TIFF"))
    expected = 255 * (GREY / GREY.max())
    np.testing.assert_allclose(grey, expected, atol=1e-4)


def test_numbers_that_are_none_are_refused():
    values = GREY.astype(np.float32)
    values[3, 3] = np.nan
    with pytest.raises(PictureError, match="expected grey values that are numbers"):
        decode(encode(Image.fromarray(values), "TIFF"))


@pytest.mark.parametrize("suffix", ["GIF", "TIFF", "MPO"])
def test_the_first_of_several_frames_is_read(suffix):
    first, second = PICTURE.convert("RGB"), Image.new("RGB", PICTURE.size, "white")
    options = {"quality": 95} if suffix == "MPO" else {}
    data = encode(first, suffix, save_all=True, append_images=[second], **options)
    np.testing.assert_allclose(decode(data), GREY, atol=4)


@pytest.mark.parametrize(
    ("size", "expected"),
    [((799, 90), (90, 799)), ((800, 90), (45, 400)), ((3000, 4000), (400, 300))],
)
@pytest.mark.parametrize("suffix", ["PNG", "JPEG"])
def test_large_pictures_are_reduced(size, expected, suffix):
    grey = decode(encode(Image.new("L", size, 77), suffix))
    assert max(grey.shape) in range(400, 800)
    assert grey.shape[0] / grey.shape[1] == pytest.approx(expected[0] / expected[1], rel=0.02)
    assert (grey == 77).all()
    assert grey.shape == expected or suffix == "JPEG"  # which can only be halved, thrice


def png_header(width, height):
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    return b"\x89PNG\r\n\x1a\n" + data + b"\0\0\0\0IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize(
    ("size", "found"),
    [
        ((60_000, 60_000), "more than fits into memory"),
        ((50_000_001, 1), "50,000,001 x 1"),
    ],
)
def test_more_pixels_than_fit_into_memory_are_refused_before_they_are_unpacked(size, found):
    message = f"expected at most 50,000,000 pixels, found {found}: make the picture smaller"
    with pytest.raises(PictureError, match=message):
        decode(png_header(*size))


@pytest.mark.parametrize("suffix", ["PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF"])
def test_half_a_file_is_refused(suffix):
    noise = np.random.default_rng(0).integers(0, 256, (60, 60), dtype=np.uint8)
    data = encode(Image.fromarray(noise), suffix)
    assert decode(data).shape == (60, 60)
    with pytest.raises(PictureError, match="expected a (whole )?picture"):
        decode(data[: len(data) // 2])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>",
        b"<!DOCTYPE html><html><body>404</body></html>",
        bytes(1000),
        encode(PICTURE, "PPM"),
    ],
)
def test_what_is_no_such_picture_is_refused(data):
    message = "that is not a picture: expected one of the formats PNG, JPEG, WEBP, BMP, GIF, TIFF"
    with pytest.raises(PictureError, match=message):
        decode(data)


def test_a_file_that_claims_more_than_fits_into_memory_is_refused():
    """As a PNG does whose last piece is said to have gigabytes; Pillow asks for all of them."""

    class SmallMemory(io.BytesIO):
        def read(self, size=-1):
            if size > 2**30:
                raise MemoryError
            return super().read(size)

    data = LOSSLESS["png"]
    length = data.index(b"IDAT") - 4
    file = SmallMemory(data[:length] + struct.pack(">I", 2**31 - 1) + data[length + 4 :])
    with pytest.raises(PictureError, match="found more than fits into memory"):
        decode_picture(file)
