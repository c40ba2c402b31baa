"""What reads foreign bytes: the inputs to try it with, and what may come of them.

Each function reads a file, and returns whether there was in it what is sought. It raises what the
module under test must not raise, and an `AssertionError` for an answer that must not be.
"""

import gzip
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from mnist_kedro.formats.idx import GZIP_MAGIC, IdxFormatError, idx_header, read_idx
from mnist_kedro.formats.pictures import PictureError, decode_picture
from mnist_kedro.images.image_files import find_pictures
from mnist_kedro.images.imaging import to_mnist_format
from mnist_kedro.parameters import UserError
from mnist_kedro.serving import app
from tests import corpus
from tests.mutations import mutated

MANY = 100_000  # images, more than any input can hold
LONGEST = 500  # characters of an error, after the name of the file


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


def read_body(path):
    try:
        images = app.read_images(path.read_bytes())
    except UserError as error:
        check_sentence(error, 'expected {"images": ...}')
        return False
    assert images.dtype == np.uint8
    assert images.shape[1:] == (28, 28)
    return True


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
    "images.json": Target(read_body, corpus.BODIES, mutated(corpus.BODIES)),
}
