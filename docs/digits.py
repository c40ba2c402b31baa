"""Digits for the demo, as a hand draws them: strokes of points from 0 to 1, from the upper left."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

Stroke = list[tuple[float, float]]


def arc(middle: tuple[float, float], width: float, height: float, start: int, end: int) -> Stroke:
    """Return part of an ellipse; degrees count clockwise, from the right."""
    turns = (math.radians(start + (end - start) * i / 20) for i in range(21))
    return [
        (middle[0] + width / 2 * math.cos(turn), middle[1] + height / 2 * math.sin(turn))
        for turn in turns
    ]


DIGITS: dict[int, list[Stroke]] = {
    0: [arc((0.5, 0.5), 0.42, 0.64, -90, 275)],
    1: [[(0.5, 0.18), (0.5, 0.5), (0.5, 0.82)]],
    3: [arc((0.48, 0.34), 0.34, 0.32, -160, 90) + arc((0.48, 0.67), 0.4, 0.34, -90, 155)],
    7: [[(0.3, 0.2), (0.7, 0.2), (0.5, 0.5), (0.42, 0.82)]],
}


def draw(page: Page, digit: int) -> None:
    """Draw a digit on the demo's paper, with the mouse."""
    for stroke in on_screen(page, digit):
        page.mouse.move(*stroke[0])
        page.mouse.down()
        for point in stroke[1:]:
            page.mouse.move(*point, steps=2)
        page.mouse.up()


def on_screen(page: Page, digit: int) -> list[Stroke]:
    """Return a digit's strokes in pixels of the page, where its paper is."""
    paper = page.locator("#canvas").bounding_box()
    assert paper  # noqa: S101 (it is there)
    return [
        [(paper["x"] + x * paper["width"], paper["y"] + y * paper["height"]) for x, y in stroke]
        for stroke in DIGITS[digit]
    ]
