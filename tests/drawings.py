"""Digits drawn with a pen of any width, anywhere on a sheet."""

import numpy as np
from PIL import Image, ImageDraw

FINER = 4  # pixels of the drawing per pixel of the picture, along each side
STROKES = {  # lines through points (x, y) in a box of 1 x 1
    1: [[(0.5, 0), (0.5, 1)]],
    2: [[(0.1, 0.2), (0.3, 0), (0.7, 0), (0.85, 0.25), (0.7, 0.5), (0.05, 1), (0.95, 1)]],
    4: [[(0.5, 0), (0.05, 0.65), (0.95, 0.65)], [(0.7, 0.35), (0.7, 1)]],
    5: [
        [(0.2, 0), (0.15, 0.45), (0.6, 0.4), (0.85, 0.7), (0.6, 1), (0.1, 0.9)],
        [(0.2, 0), (0.9, 0)],
    ],
    7: [[(0.05, 0), (0.9, 0), (0.4, 1)], [(0.3, 0.5), (0.85, 0.5)]],
}


def draw(strokes, shape=(200, 160), corner=(40, 50), size=(60, 100), pen=10):
    """Return how much ink there is, `float32 (height, width)`, 0-1, with smooth edges.

    `corner` is the upper left one of the digit's box, `size` its width and height.
    """
    height, width = shape
    image = Image.new("L", (FINER * width, FINER * height))
    painter = ImageDraw.Draw(image)
    for line in strokes:
        points = FINER * (np.array(line) * size + corner)
        painter.line([tuple(point) for point in points], 255, round(FINER * pen), joint="curve")
        for x, y in points:
            radius = FINER * pen / 2
            painter.ellipse([x - radius, y - radius, x + radius, y + radius], 255)
    return np.asarray(image.reduce(FINER), dtype=np.float32) / 255


def on_paper(ink, paper=240.0, written=40.0):
    """Return the grey values of ink on paper, 0-255."""
    return (paper + ink * (written - paper)).astype(np.float32)
