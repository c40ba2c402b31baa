"""Read changed files and bodies of requests for minutes: `python -m tests.fuzz --minutes 3`.

Each is to be read, or refused in one sentence. The smallest input that is neither is kept in
`build/fuzz/`.
"""

import argparse
import asyncio
import faulthandler
import gzip
import io
import json
import re
import resource
import sys
import time
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from hypothesis import HealthCheck, Verbosity, given, settings
from hypothesis import strategies as st
from PIL import Image

from mnist_kedro.formats.idx import IdxFormatError, idx_header, read_idx
from mnist_kedro.formats.pictures import PictureError, decode_picture
from mnist_kedro.images.image_files import find_pictures
from mnist_kedro.images.normalization import to_mnist_format
from mnist_kedro.serving.app import create_app
from mnist_kedro.serving.champion import open_champion
from tests.drawings import STROKES, draw, on_paper
from tests.serving.mean_digits import form, make_manifest, make_model, mean_images

FOLDER = Path("build", "fuzz")
SECONDS = 30  # for one input; then the process ends, and says where it was
MEMORY = 4 * 2**30  # bytes of address space; libraries take most of it, and little memory
PROFILE = settings(
    max_examples=500,
    deadline=5000,  # milliseconds
    database=None,
    suppress_health_check=list(HealthCheck),
    verbosity=Verbosity.quiet,  # it is in a file
)
LONGEST = 600  # characters of an error
HEADER = 64  # first bytes of a file, in which formats have most of their fields
NUMBERS = [
    number.to_bytes(size, order)
    for size in (1, 2, 4, 8)
    for number in (0, 1, 2 ** (8 * size - 1) - 1, 2 ** (8 * size - 1), 2 ** (8 * size) - 1)
    for order in ("little", "big")
]
WORDS = [
    *(b"-1", b"0.5", b"1e999", b"9" * 5000, b"NaN", b"None", b"true", b"|O", b"<f8", b"label"),
    *(b'"', b",", b":", b"\n", b"\xff\xfe", b"\xef\xbb\xbf", b"\\ud800", b"pixel0", b"images"),
    *(b"(" * 300, b"[" * 5000, b"-" * 5000, b'{"a":' * 3000),
]
PIECES = st.sampled_from(NUMBERS) | st.sampled_from(WORDS) | st.binary(min_size=1, max_size=13)


@st.composite
def changed(draw, corpus):
    """Return the strategy of members of a corpus, each with one to four changes."""
    data = draw(st.sampled_from(corpus))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, min(len(data), HEADER)) | st.integers(0, len(data)))
        before, after = data[:at], data[at:]
        match draw(st.sampled_from(["overwrite", "insert", "delete", "repeat", "cut", "splice"])):
            case "overwrite":
                piece = draw(PIECES)
                after = piece + after[len(piece) :]
            case "insert":
                after = draw(PIECES) + after
            case "delete":
                after = after[draw(st.integers(1, HEADER)) :]
            case "repeat":
                after = draw(st.integers(1, 50)) * after[: draw(st.integers(1, HEADER))] + after
            case "cut":
                after = b""
            case "splice":
                other = draw(st.sampled_from(corpus))
                after = other[draw(st.integers(0, len(other))) :]
        data = before + after
    return data


def check_sentence(error):
    assert "expected " in str(error)
    assert re.search("found|not a picture", str(error))
    assert "\n" not in str(error)
    assert len(str(error)) < LONGEST


def check_image(image):
    assert (image.dtype, image.shape) == (np.uint8, (28, 28))


def read_idx_file(path):
    """Return whether a file is IDX; like all that follow."""
    try:
        array = read_idx(path, (3, 4))
    except IdxFormatError as error:
        check_sentence(error)
        return False
    content = path.read_bytes()
    raw = gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content
    assert idx_header(array.shape) + array.tobytes() == raw
    return True


def read_picture_file(path):
    try:
        with path.open("rb") as file:
            grey = decode_picture(file)
        assert np.isfinite(grey).all()
        assert 0 <= grey.min() <= grey.max() <= 255
        check_image(to_mnist_format(grey).image)
    except PictureError as error:
        check_sentence(error)
        return False
    return True


def read_images(path):
    seen = [picture.try_to_see() for picture in find_pictures(path)]
    for image, why in seen:
        check_sentence(why) if image is None else check_image(image)
    return any(image is not None for image, _ in seen)


@cache
def app():
    model = make_model(mean_images())
    champion = open_champion("v", model, make_manifest(model))
    return create_app(SimpleNamespace(current=champion), ["*"])


def post(path):
    """Post a body, JSON unless it is a picture, as the server's framework hands it over."""
    body = path.read_bytes()
    kinds = {b"{": b"application/json", b"-": FORM_KIND.encode()}
    kind = kinds.get(body[:1], b"image/png")
    headers = [(b"content-type", kind)]
    scope = {"type": "http", "method": "POST", "path": "/predict", "headers": headers}
    scope["query_string"] = b""
    sent = []

    async def receive():
        return {"type": "http.request", "body": body}

    async def send(message):
        sent.append(message)

    asyncio.run(app()(scope, receive, send))
    status = sent[0]["status"]
    answer = json.loads(b"".join(message.get("body", b"") for message in sent))
    assert status in (200, 400, 413, 422)
    assert status == 200 or len(answer["error"]) > 15
    return status == 200


def encode(image, kind, **options):
    """Return the bytes of a picture file."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def npy(array):
    """Return the bytes of a NumPy file."""
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


DIGIT = draw(STROKES[5], shape=(48, 40), corner=(10, 12), size=(18, 26), pen=4)
GREY = Image.fromarray(on_paper(DIGIT).astype(np.uint8))
COLOURS, PALETTE, BITS = GREY.convert("RGB"), GREY.quantize(4), GREY.convert("1")
ALPHA = Image.merge("LA", [Image.new("L", GREY.size), Image.fromarray(np.uint8(255 * DIGIT))])
SIXTEEN = Image.fromarray(np.asarray(GREY).astype(np.uint16) * 257)
FLOATS = Image.fromarray(np.asarray(GREY).astype(np.float32))
STACK = np.stack([np.asarray(GREY), 255 - np.asarray(GREY)])
RAW = [idx_header((n, 3, 4)) + bytes(range(12 * n)) for n in (1, 2, 20)]
PICTURES = [
    *(encode(image, "PNG") for image in (GREY, BITS, SIXTEEN, ALPHA, COLOURS)),
    encode(PALETTE, "PNG", transparency=1),
    *(encode(image, "JPEG") for image in (GREY, COLOURS.convert("CMYK"))),
    encode(COLOURS, "JPEG", progressive=True),
    *(encode(image, "WEBP") for image in (COLOURS, ALPHA.convert("RGBA"))),
    *(encode(image, kind) for kind in ("BMP", "GIF") for image in (GREY, BITS, PALETTE)),
    *(encode(image, "TIFF") for image in (GREY, SIXTEEN, FLOATS, ALPHA, PALETTE)),
    *(encode(COLOURS, "TIFF", compression=name) for name in ("tiff_lzw", "jpeg", "packbits")),
    encode(COLOURS, "GIF", save_all=True, append_images=[COLOURS.rotate(90)]),
]
ARRAYS = [npy(STACK), npy(np.asfortranarray(STACK)), npy(STACK[:1])]
PIXELS = ",".join(f"pixel{number}" for number in range(784))
ROW = ",".join(["7"] * 784)
TABLES = [f"{PIXELS}\n{ROW}\n{ROW}\n".encode(), f"label,{PIXELS}\r\n1,{ROW}\r\n".encode()]
BLANK = np.zeros((28, 28), int).tolist()
BODIES = [json.dumps({"images": images}).encode() for images in (BLANK, [BLANK, BLANK])]
FORM, FORM_KIND = form(PICTURES[0])
TARGETS = {  # what reads a file of this name, whole ones, and changed ones
    "digits.idx": (read_idx_file, [*RAW, *map(gzip.compress, RAW)]),
    "digit.png": (read_picture_file, PICTURES),
    "digits.npy": (read_images, ARRAYS),
    "digits.csv": (read_images, TABLES),
    "predict.http": (post, [*BODIES, *PICTURES, FORM]),
}


def inputs(name):
    """Return the strategy of changed files."""
    corpus = TARGETS[name][1]
    packed = changed(RAW).map(gzip.compress) if name == "digits.idx" else st.nothing()
    return changed(corpus) | packed


def try_inputs(name, path, profile):
    """Try changed files, each in `path`; return how many, and how many of them were read.

    Raises:
        Exception: One was neither read nor refused; it is in `path`, as small as possible.
    """
    read, _ = TARGETS[name]
    counts = [0, 0]

    @profile
    @given(data=inputs(name))
    def try_one(data):
        path.write_bytes(data)
        faulthandler.dump_traceback_later(SECONDS, exit=True)
        counts[1] += read(path)
        counts[0] += 1

    try_one()
    faulthandler.cancel_dump_traceback_later()
    return counts


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=3, help="in all (%(default)s)")
    minutes = parser.parse_args().minutes
    FOLDER.mkdir(parents=True, exist_ok=True)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    for name in TARGETS:
        end = time.monotonic() + 60 * minutes / len(TARGETS)
        tried = read = 0
        while time.monotonic() < end:
            more, more_read = try_inputs(name, FOLDER / name, PROFILE)
            tried, read = tried + more, read + more_read
        print(f"{name}: {tried:,} tried, {read:,} read, {tried - read:,} refused", flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
