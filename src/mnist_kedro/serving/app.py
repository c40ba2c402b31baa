"""The web application: predictions, the model that makes them, and the page to draw on."""

from __future__ import annotations

import asyncio
import io
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from fastapi_swagger import patch_fastapi
from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
)
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect

from mnist_kedro import __version__
from mnist_kedro.formats.mnist_format import SIDE
from mnist_kedro.formats.pictures import PictureError
from mnist_kedro.images.normalization import read_picture
from mnist_kedro.parameters import UserError
from mnist_kedro.serving.champion import Answer, Champion, Champions, Model

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from numpy.typing import NDArray
    from starlette.types import Message

STATIC = Path(__file__).with_name("static")
MAX_IMAGES = 1000
MAX_MEBIBYTES = 12  # a photograph of 12 megapixels has 3 to 6, JSON of 1,000 images at most 5
THREADS = 2  # for predictions: large pictures take much memory
HANDLED = (HTTPException, UserError, PictureError, ClientDisconnect, Exception)

Pixel = Annotated[int, Field(strict=True, ge=0, le=255)]
Row = Annotated[list[Pixel], Field(min_length=SIDE, max_length=SIDE, fail_fast=True)]
Image = Annotated[list[Row], Field(min_length=SIDE, max_length=SIDE, fail_fast=True)]


def _as_list(images: object) -> object:
    """Return one image as a list of one, and all else as it is."""
    match images:
        case [[first, *_], *_] if not isinstance(first, list):
            return [images]
    return images


class Images(BaseModel):
    """One image or a list of up to 1,000, each 28 rows of 28 pixels, 0 = paper, 255 = ink.

    Instead of `images` the key may be `inputs`, as for `mlflow models serve`.
    """

    model_config = ConfigDict(extra="forbid")

    images: Annotated[
        list[Image],
        Field(
            min_length=1,
            max_length=MAX_IMAGES,
            fail_fast=True,
            validation_alias=AliasChoices("images", "inputs"),
        ),
        BeforeValidator(_as_list, json_schema_input_type=Image | list[Image]),
    ]


class Failure(BaseModel):
    """Why there is no answer, in one sentence."""

    error: str


# How OpenAPI describes the body of `POST /predict`, and what goes wrong.
PICTURE = {"type": "string", "format": "binary"}
FORM = {"type": "object", "properties": {"file": PICTURE}, "required": ["file"]}
BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": Images.model_json_schema()},
            "image/*": {"schema": PICTURE},
            "multipart/form-data": {"schema": FORM},
        },
    }
}
OF_ALL: dict[int | str, dict[str, Any]] = {
    400: {"description": "The request is broken, or its Host header names another machine."},
    503: {"description": "Too many connections are open: ask again later."},
}
OF_BODIES: dict[int | str, dict[str, Any]] = {
    413: {"description": f"The body has more than {MAX_MEBIBYTES} MiB.", "model": Failure},
    415: {"description": "The Content-Type is none of those above.", "model": Failure},
    422: {"description": "The body has no images, or wrong ones.", "model": Failure},
}


router = APIRouter(responses=OF_ALL)


@router.post("/predict", responses=OF_BODIES, openapi_extra=BODY)
async def predict(request: Request) -> Answer:
    """Predict the classes of one or many images in JSON, or of a picture file."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    is_json, request = kind == "application/json", _limited(request)
    if is_json or kind.startswith("image/"):
        body = await request.body()
    elif kind == "multipart/form-data":
        body = await _read_form(request)
    else:
        raise HTTPException(
            415,
            "expected the Content-Type application/json, image/... or multipart/form-data, found "
            "another",
        )
    state = request.app.state
    work = partial(_answer, state.champions.current, body, is_json=is_json)
    return await asyncio.get_running_loop().run_in_executor(state.threads, work)


@router.get("/model")
async def model(request: Request) -> Model:
    """Describe the model that answers."""
    champions: Champions = request.app.state.champions
    return champions.current.model


@router.get("/health")
async def health() -> dict[str, str]:
    """Say that the server is alive."""
    return {"status": "ok"}


@router.get("/ready")
async def ready(request: Request) -> dict[str, str]:
    """Say that a model is loaded, and its version."""
    return {"status": "ready", "version": (await model(request)).version}


@router.get("/", include_in_schema=False)
async def page() -> FileResponse:
    """Return the page to draw on."""
    return FileResponse(STATIC / "index.html")


def create_app(champions: Champions, hosts: Sequence[str]) -> FastAPI:
    """Return the application that answers with the current champion.

    Args:
        champions: Has the current champion.
        hosts: The names that a Host header may have, `*` for any. A foreign site could let its own
            name point to this machine, so that its pages can read the answers.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        watching = asyncio.create_task(champions.watch())
        yield
        watching.cancel()

    app = FastAPI(
        title="mnist_kedro",
        summary="Predicts the classes of images, such as handwritten digits.",
        version=__version__,
        lifespan=lifespan,
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=hosts)],
        exception_handlers=dict.fromkeys(HANDLED, _fail),
        telemetry={"tracing": False, "metrics": False, "logs": False},  # would hold bodies
        docs_url=None,  # `patch_fastapi` serves /docs without the internet
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
    )
    app.state.champions, app.state.threads = champions, ThreadPoolExecutor(THREADS)
    patch_fastapi(app, redirect_from_root_to_docs=False)
    app.include_router(router)
    app.mount("/static", StaticFiles(directory=STATIC))
    return app


def _answer(champion: Champion, body: bytes, *, is_json: bool) -> Answer:
    if is_json:
        return champion.answer(read_images(body))
    image, warning = read_picture(io.BytesIO(body))
    return champion.answer(image[None], warning=warning, seen=image.tolist())


def read_images(body: bytes) -> NDArray[np.uint8]:
    """Return the images of a JSON body, `uint8 (n, 28, 28)`.

    Raises:
        UserError: The body is not `Images` in JSON.
    """
    try:
        return np.array(Images.model_validate_json(body).images, np.uint8)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        place = "".join(f"[{each}]" if isinstance(each, int) else each for each in fault["loc"])
        raise UserError(
            f'expected {{"images": ...}} with one image or a list of up to {MAX_IMAGES:,}, each '
            f"{SIDE} rows of {SIDE} whole numbers from 0 (paper) to 255 (ink), found at "
            f"{place or 'the top'}: {fault['msg']}"
        ) from None


def _limited(request: Request) -> Request:
    """Return the request with a limit on its body; Starlette's own would answer in plain text."""
    left = MAX_MEBIBYTES * 2**20

    async def receive() -> Message:
        nonlocal left
        message = await request.receive()
        left -= len(message.get("body", b""))
        if left < 0:
            sentence = f"expected a body of at most {MAX_MEBIBYTES} MiB, found a larger one"
            raise HTTPException(413, sentence)
        return message

    return Request(request.scope, receive)


async def _read_form(request: Request) -> bytes:
    """Return the file of a form, as `curl -F file=@digit.png` sends it."""
    async with request.form() as form:
        match form.get("file"):
            case UploadFile() as file:
                return await file.read()
    raise UserError("expected a picture in the field 'file' of the form, found none")


async def _fail(_: Request, error: Exception) -> JSONResponse:
    """Answer an error with one sentence in JSON."""
    match error:
        case HTTPException():
            status, sentence = error.status_code, error.detail
        case UserError() | PictureError():
            status, sentence = 422, str(error)
        case ClientDisconnect():
            status, sentence = 400, "the client went away"
        case _:
            status, sentence = 500, "the server failed at this request: its log says how"
    return JSONResponse({"error": sentence}, status, getattr(error, "headers", None))
