"""From the bytes of a picture to its label, as the server does it."""

from __future__ import annotations

import io
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from benchmarks.measure import Row, compare
from mnist_kedro.data.sources import embedded_digits
from mnist_kedro.images.imaging import read_picture

if TYPE_CHECKING:
    from mnist_kedro.serving.champion import Champion

PHOTO = (4000, 3000)  # pixels: 12 megapixels
PEER = "Pillow's draft and resize"


def picture_rows(champion: Champion) -> list[Row]:
    """Return the rows of a small picture and of a photograph."""
    pictures = {
        "from a PNG of 28x28 to its label": (small_picture(), "ours <= 5 ms"),
        "from a JPEG of 12 megapixels to its label": (photograph(), "ours <= 60 ms"),
    }
    rows = []
    for name, (picture, goal) in pictures.items():
        peers = {PEER: (partial(read_plainly, champion, picture), goal)}
        rows += compare(name, partial(read, champion, picture), peers, "ms")
    return rows


def read(champion: Champion, picture: bytes) -> int:
    """Return the label of a picture, as the server finds it."""
    return int(champion.predict(read_picture(io.BytesIO(picture)).image[None]).argmax())


def read_plainly(champion: Champion, picture: bytes) -> int:
    """Return a label after the least that must be done, which finds no digit in the picture."""
    with Image.open(io.BytesIO(picture)) as image:
        image.draft("L", (100, 100))
        small = image.convert("L").resize((28, 28))
    return int(champion.predict(255 - np.asarray(small)[None]).argmax())


def small_picture() -> bytes:
    """Return a digit in dark ink on white paper as a PNG of 28x28."""
    return encode(Image.fromarray(255 - embedded_digits().test_images[0]), "PNG")


def photograph() -> bytes:
    """Return a JPEG of 12 megapixels: a digit on paper with a shadow, and a camera's noise."""
    width, height = PHOTO
    ink = Image.fromarray(embedded_digits().test_images[0]).resize((height, height), Image.BICUBIC)
    paper = np.linspace(220, 150, width, dtype=np.float32)[None].repeat(height, axis=0)
    paper[:, (width - height) // 2 :][:, :height] -= 0.4 * np.asarray(ink, np.float32)
    paper += np.random.default_rng(0).normal(0, 3, paper.shape)
    grey = Image.fromarray(paper.clip(0, 255).astype(np.uint8))
    return encode(grey.convert("RGB"), "JPEG", quality=90)


def encode(image: Image.Image, kind: str, **options: int) -> bytes:
    """Return the bytes of a picture."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()
