"""Digits of MNIST as people would photograph or scan them, drawn at random.

Each picture has a pen of its own width, paper with grain and perhaps rulings, uneven light, perhaps
a shadow, a camera held at an angle, and JPEG's losses; some are chalk on a blackboard.
"""

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter
from scipy import ndimage

FINE = 8  # pixels of the drawing, per pixel of MNIST
SIZE = 28 * FINE


@dataclass(frozen=True)
class Photograph:
    """A picture file, and what it shows."""

    data: bytes
    suffix: str
    label: int


def photograph(digit, label, seed):
    """Photograph one image, `uint8 (28, 28)`; the same seed gives the same file."""
    random = np.random.default_rng([seed, label])
    size = random.integers(140, 420), random.integers(140, 420)  # width, height
    ink = place(draw(digit, random), size, random)
    light = lit(size[::-1], random)
    grain = random.normal(0, random.uniform(0.002, 0.02), ink.shape)
    grain += cloudy(ink.shape, random.uniform(1, 4), random) * random.uniform(0, 0.03)
    rulings = ruled(ink.shape, random) if random.random() < 0.3 else np.zeros(ink.shape)
    strength = random.uniform(0.55, 0.95)
    ink = np.maximum(ink * strength, rulings * random.uniform(0.1, 0.5) * strength)
    if random.random() < 0.2:  # chalk on a blackboard
        board = random.uniform(0.1, 0.3)
        surface = board + ink * (0.95 - board)
    else:
        surface = random.uniform(0.65, 1) * (1 - ink)
    values = 255 * light * (surface + grain) + random.normal(0, random.uniform(0.5, 4), ink.shape)
    tint = random.uniform(0.85, 1, 3)
    picture = Image.fromarray(np.clip(values[..., None] * tint, 0, 255).astype(np.uint8))
    picture = picture.filter(ImageFilter.GaussianBlur(random.uniform(0, 1.2)))
    suffix, options = [("jpg", {"quality": int(random.integers(30, 95))}), ("png", {})][
        int(random.random() < 0.3)
    ]
    file = io.BytesIO()
    picture.save(file, {"jpg": "JPEG", "png": "PNG"}[suffix], **options)
    return Photograph(file.getvalue(), suffix, int(label))


def draw(digit, random):
    """Return the digit's strokes with sharp edges and a pen's own width, `float (224, 224)`."""
    smooth = Image.fromarray(digit).resize((SIZE, SIZE), Image.Resampling.BICUBIC)
    mask = np.asarray(smooth.filter(ImageFilter.GaussianBlur(FINE / 2))) > 110
    depth = ndimage.distance_transform_edt(mask) - ndimage.distance_transform_edt(~mask)
    middle = np.median(depth[mask & (depth == ndimage.maximum_filter(depth, 5))])
    wider = random.uniform(-0.4 * middle, 1.2 * FINE)
    return (np.clip(depth + wider, -1, 1) + 1) / 2


def place(ink, size, random):
    """See the drawing through a camera: turned, at an angle, somewhere in the picture."""
    extent = random.uniform(0.45, 1.0) * min(size)
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) / 2
    angle = np.radians(random.uniform(-12, 12))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    corners = corners @ turn.T * random.uniform(0.9, 1.1, 2)
    corners += random.uniform(-0.05, 0.05, corners.shape)  # perspective
    room = np.maximum(np.array(size) - extent, 0) / 2
    corners = corners * extent + np.array(size) / 2 + random.uniform(-1, 1, 2) * room
    target = np.array([[0, 0], [SIZE, 0], [SIZE, SIZE], [0, SIZE]])
    image = Image.fromarray((255 * ink).astype(np.uint8)).transform(
        tuple(map(int, size)),
        Image.Transform.PERSPECTIVE,
        perspective(corners, target),
        Image.Resampling.BILINEAR,
    )
    return np.asarray(image) / 255


def perspective(sources, targets):
    """Return the eight numbers with which Pillow maps four points to four others."""
    rows, values = [], []
    for (x, y), (u, v) in zip(sources, targets, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    return np.linalg.solve(np.array(rows, dtype=float), np.array(values, dtype=float))


def lit(shape, random):
    """Return the light on the paper, 0-1: falling off to one side, perhaps with a shadow."""
    y, x = np.mgrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
    angle = random.uniform(0, 2 * np.pi)
    along = np.cos(angle) * x + np.sin(angle) * y
    light = 1 - random.uniform(0, 0.25) * (1 + along) - random.uniform(0, 0.1) * (x**2 + y**2)
    if random.random() < 0.3:
        edge = np.cos(angle + 1) * x + np.sin(angle + 1) * y - random.uniform(-0.8, 0.8)
        light *= 1 - random.uniform(0.1, 0.45) / (1 + np.exp(edge / random.uniform(0.05, 0.3)))
    return light


def cloudy(shape, scale, random):
    """Return smooth noise of standard deviation 1."""
    noise = ndimage.gaussian_filter(random.normal(size=shape), scale)
    return noise / noise.std()


def ruled(shape, random):
    """Return thin lines, or squares, as they are printed on paper."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    spacing = random.uniform(0.12, 0.4) * min(shape)
    slope = random.uniform(-0.04, 0.04)
    width = random.uniform(1, 2.5)
    lines = (y + slope * x + random.uniform(0, spacing)) % spacing < width
    if random.random() < 0.4:
        lines |= (x - slope * y + random.uniform(0, spacing)) % spacing < width
    return lines.astype(float)
