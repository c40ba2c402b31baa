"""What goes over HTTP: the bodies of requests and answers, and how OpenAPI describes them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import to_json

from mnist_kedro.formats.mnist_format import SIDE
from mnist_kedro.serving.champion import Champion, Description

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_IMAGES = 1000
# How a body with a list of images begins.
MANY = re.compile(rb'\s*{\s*"images"\s*:\s*\[\s*\[\s*\[')

Pixel = Annotated[int, Field(strict=True, ge=0, le=255)]
Row = Annotated[list[Pixel], Field(min_length=SIDE, max_length=SIDE, fail_fast=True)]
Image = Annotated[list[Row], Field(min_length=SIDE, max_length=SIDE, fail_fast=True)]


class MessageError(ValueError):
    """A request does not hold what it should; says what was expected and what was found."""


class OneImage(BaseModel):
    """One image: 28 rows of 28 whole numbers, 0 = paper, 255 = ink."""

    model_config = ConfigDict(extra="forbid")

    images: Image


class ManyImages(BaseModel):
    """A list of 1 to 1,000 images."""

    model_config = ConfigDict(extra="forbid")

    images: Annotated[list[Image], Field(min_length=1, max_length=MAX_IMAGES, fail_fast=True)]


class Prediction(BaseModel):
    """What one image shows; `seen` is what the model saw of a picture, as 28 rows of 28."""

    label: int
    name: str
    confidence: float
    probabilities: list[float]
    warning: str | None
    seen: list[list[int]] | None = None


class Answer(BaseModel):
    """A prediction per image; `classes` are the labels to which the probabilities belong."""

    predictions: list[Prediction]
    classes: list[int]
    version: str


class Model(Description):
    """The champion that answers."""

    version: str
    onnx_sha256: str

    @classmethod
    def of(cls, champion: Champion) -> Model:
        """Return what is told of a champion."""
        manifest = champion.manifest.model_dump()
        return cls(**manifest, version=champion.version, onnx_sha256=manifest["onnx"]["sha256"])


class Health(BaseModel):
    """The server can answer."""

    status: str = "ok"


class Failure(BaseModel):
    """Why there is no answer, in a sentence."""

    error: str


def read_images(body: bytes) -> NDArray[np.uint8]:
    """Return the images of a JSON body, `uint8 (n, 28, 28)`.

    Raises:
        MessageError: It is no JSON, or holds anything but images.
    """
    message = ManyImages if MANY.match(body) else OneImage
    try:
        images = message.model_validate_json(body).images
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        place = "".join(f"[{each}]" if isinstance(each, int) else each for each in fault["loc"])
        raise MessageError(
            f'expected {{"images": ...}} with one image, {SIDE} rows of {SIDE} whole numbers from '
            f"0 (paper) to 255 (ink), or with a list of 1 to {MAX_IMAGES:,} images, found at "
            f"{place or 'the top'}: {fault['msg']}"
        ) from error
    return np.array(images, np.uint8).reshape(-1, SIDE, SIDE)


def write_answer(
    champion: Champion,
    probabilities: NDArray[np.float32],
    **of_picture: Any,  # noqa: ANN401 (a warning, and what was seen)
) -> bytes:
    """Return the JSON of an `Answer`.

    Args:
        champion: Whose probabilities they are.
        probabilities: `float32 (n, classes)`.
        of_picture: What else there is to tell of the predictions.
    """
    classes, names = champion.manifest.classes, champion.manifest.class_names
    predictions = [
        {
            "label": classes[best],
            "name": names[best],
            "confidence": row[best],
            "probabilities": row,
            "warning": None,
            **of_picture,
        }
        for best, row in zip(
            probabilities.argmax(axis=1).tolist(), probabilities.tolist(), strict=True
        )
    ]
    return to_json({"predictions": predictions, "classes": classes, "version": champion.version})


def describe_body() -> dict[str, Any]:
    """Return what OpenAPI says of the body of a request for predictions: JSON, or a picture."""
    digit = [
        [255 * (row in range(4, 24) and column in (13, 14)) for column in range(SIDE)]
        for row in range(SIDE)
    ]  # a 1
    pixels = {
        "schema": {"oneOf": [each.model_json_schema() for each in (OneImage, ManyImages)]},
        "examples": {
            "one": {"summary": "one image", "value": {"images": digit}},
            "many": {"summary": "a list of images", "value": {"images": [digit]}},
        },
    }
    picture = {"schema": {"type": "string", "format": "binary"}}
    content = {"application/json": pixels, "image/*": picture}
    return {"requestBody": {"required": True, "content": content}}
