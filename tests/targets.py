"""What reads foreign bytes: the inputs to try it with, and what may come of them.

Each function reads a file, and returns whether there was in it what is sought. It raises what the
module under test must not raise, and an `AssertionError` for an answer that must not be.
"""

import gzip
import http.client
import io
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from hypothesis import strategies as st

from mnist_kedro.formats.idx import GZIP_MAGIC, IdxFormatError, idx_header, read_idx
from mnist_kedro.formats.pictures import PictureError, decode_picture
from mnist_kedro.images.image_files import find_pictures
from mnist_kedro.images.imaging import to_mnist_format
from tests import corpus
from tests.mutations import mutated
from tests.serving.wire import WiredServer

MANY = 100_000  # images, more than any input can hold
LONGEST = 500  # characters of an error, after the name of the file
ANSWERS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
NEXT = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"


@dataclass(frozen=True)
class Target:
    """A reader, whole inputs for it, and the strategy of changed ones."""

    read: Callable[[Path], bool]
    corpus: list[bytes]
    inputs: st.SearchStrategy[bytes]


def read_idx_file(path):
    content = path.read_bytes()
    try:
        array = read_idx(path, corpus.ITEM)
    except IdxFormatError as error:
        check_sentence(error, f"{path}: expected ")
        return False
    raw = gzip.decompress(content) if content.startswith(GZIP_MAGIC) else content
    assert idx_header(array.shape) + array.tobytes() == raw
    return True


def read_picture_file(path):
    try:
        with path.open("rb") as file:
            grey = decode_picture(file)
        assert grey.dtype == np.float32
        assert np.isfinite(grey).all()
        assert 0 <= grey.min() <= grey.max() <= 255
        check_image(to_mnist_format(grey).image)
    except PictureError as error:
        check_sentence(error, "expected ")
        return False
    return True


def read_images(path):
    pictures = list(islice(find_pictures(path), MANY))
    assert len(pictures) < MANY
    seen = [can_be_seen(path, picture) for picture in pictures]
    return any(seen)


def can_be_seen(path, picture):
    try:
        check_image(picture.see().image)
    except PictureError as error:
        check_sentence(error, "expected ")
        return False
    except ValueError as error:
        check_sentence(error, f"{path}: expected ")
        return False
    return True


def check_sentence(error, start):
    assert str(error).startswith(start)
    assert "found" in str(error)
    assert "\n" not in str(error)
    assert len(str(error)) < len(start) + LONGEST


def check_image(image):
    assert image.dtype == np.uint8
    assert image.shape == (28, 28)


@cache
def server():
    return WiredServer()


def read_answer(path, *, whole):
    """Send the request in a file; it is to be answered if it is whole, and so is the next one."""
    request = path.read_bytes()
    written = server().answer(request)
    assert all(int(status) < 500 for status in ANSWERS.findall(written)), written
    good = bool(written or whole) and status_of(request, written) < 400
    assert status_of(NEXT, server().answer(NEXT)) == 200
    return good


def status_of(request, written):
    """Return the status of the first answer, in which an error is a sentence in JSON."""
    connection = SimpleNamespace(makefile=lambda _: io.BytesIO(written))
    asked_for_head = request.lstrip().startswith(b"HEAD ")
    response = http.client.HTTPResponse(connection, method="HEAD" if asked_for_head else "GET")
    response.begin()
    body = response.read()
    if response.status >= 400 and not asked_for_head:
        answer = json.loads(body)
        assert answer.keys() == {"error"}
        assert len(answer["error"]) > 20
    return response.status


JSON_POSTS = partial(corpus.post, "application/json")
PICTURE_POSTS = partial(corpus.post, "image/png")
PICTURES = mutated(corpus.PICTURES) | mutated(corpus.PNG).map(corpus.with_checksums)
TARGETS = {
    "digits.idx": Target(
        read_idx_file, corpus.IDX, mutated(corpus.IDX) | mutated(corpus.RAW_IDX).map(gzip.compress)
    ),
    "digit.png": Target(read_picture_file, corpus.PICTURES, PICTURES),
    "digits.npy": Target(
        read_images,
        corpus.ARRAYS,
        mutated(corpus.ARRAYS) | mutated(corpus.ARRAY_HEADERS).map(corpus.npy_with_header),
    ),
    "digits.csv": Target(read_images, corpus.TABLES, mutated(corpus.TABLES)),
    "predict.http": Target(
        partial(read_answer, whole=True),
        [*map(JSON_POSTS, corpus.BODIES), *map(PICTURE_POSTS, corpus.PICTURES)],
        mutated(corpus.BODIES).map(JSON_POSTS) | PICTURES.map(PICTURE_POSTS),
    ),
    "requests.http": Target(
        partial(read_answer, whole=False), corpus.REQUESTS, mutated(corpus.REQUESTS)
    ),
}
