"""What the server answers: predictions, the model, its health, and the page to draw on."""

from __future__ import annotations

import asyncio
import io
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from fastapi_swagger import patch_fastapi
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from mnist_kedro import __version__
from mnist_kedro.formats.pictures import PictureError
from mnist_kedro.images.imaging import read_picture
from mnist_kedro.serving.messages import (
    Answer,
    Failure,
    Health,
    MessageError,
    Model,
    describe_body,
    read_images,
    write_answer,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from mnist_kedro.serving.champion import Champion, Champions

STATIC = Path(__file__).with_name("static")
JSON = "application/json"
MEBIBYTE = 2**20
MAX_JSON_BYTES = 5 * MEBIBYTE  # 1,000 images with spaces between their pixels
MAX_PICTURE_BYTES = 12 * MEBIBYTE  # a photograph of 12 megapixels has 3 to 6
QUICK_BYTES = 16 * 1024  # JSON that takes less time than handing it to a thread
BODY_SECONDS = 10.0  # within which a body arrives
WORKERS = 2  # threads for pictures and long lists of images
REFUSALS = (
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
)
ERRORS = (HTTPException, MessageError, PictureError, ClientDisconnect, Exception)
SENTENCES = {
    HTTPStatus.NOT_FOUND: "there is nothing at this address: see /docs for all there are",
    HTTPStatus.METHOD_NOT_ALLOWED: "this address does not take this method: see /docs",
    HTTPStatus.INTERNAL_SERVER_ERROR: "the server failed at this request: its log says how",
}


def create_app(champions: Champions) -> FastAPI:
    """Return the application that answers with the current champion."""
    workers = ThreadPoolExecutor(WORKERS)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        watching = asyncio.create_task(champions.watch())
        yield
        watching.cancel()
        workers.shutdown(wait=False, cancel_futures=True)

    app = FastAPI(
        title="mnist_kedro",
        summary="Reads images, such as handwritten digits.",
        version=__version__,
        lifespan=lifespan,
        exception_handlers=dict.fromkeys(ERRORS, _refuse),
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # would hold bodies
        docs_url=None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
    )
    _add_routes(app, champions, workers)
    # Swagger UI from a package; the validator would be an address outside.
    patch_fastapi(
        app, redirect_from_root_to_docs=False, swagger_ui_parameters={"validatorUrl": None}
    )
    return app


def _add_routes(app: FastAPI, champions: Champions, workers: ThreadPoolExecutor) -> None:
    refusals: dict[int | str, dict[str, Any]] = {each: {"model": Failure} for each in REFUSALS}

    @app.post("/predict", response_model=Answer, responses=refusals, openapi_extra=describe_body())
    async def predict(request: Request) -> Response:
        """Predict classes: JSON with pixels of one or many, or the bytes of a picture of one."""
        request.state.predictions, answer = await _answer(request, champions.current, workers)
        return Response(answer, media_type=JSON)

    @app.get("/health")
    async def health() -> Health:
        """Say that the server can answer."""
        return Health()

    @app.get("/model")
    async def model() -> Model:
        """Describe the model that answers."""
        return Model.of(champions.current)

    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(STATIC / "index.html")

    app.mount("/static", StaticFiles(directory=STATIC))


async def _answer(
    request: Request, champion: Champion, workers: ThreadPoolExecutor
) -> tuple[int, bytes]:
    """Return how many images a request has, and the JSON of the answer."""
    work = partial(asyncio.get_running_loop().run_in_executor, workers)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == JSON:
        body = await _read_body(request, MAX_JSON_BYTES)
        if len(body) <= QUICK_BYTES:
            return _predict_pixels(champion, body)
        return await work(_predict_pixels, champion, body)
    if kind.startswith("image/"):
        body = await _read_body(request, MAX_PICTURE_BYTES)
        return await work(_predict_picture, champion, body)
    raise HTTPException(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        f"expected the Content-Type {JSON}, or image/png and the like, found another",
    )


def _predict_pixels(champion: Champion, body: bytes) -> tuple[int, bytes]:
    """Return how many images a JSON body has, and the JSON of the answer."""
    images = read_images(body)
    return len(images), write_answer(champion, champion.predict(images))


def _predict_picture(champion: Champion, body: bytes) -> tuple[int, bytes]:
    """Return 1, and the JSON of the answer to a picture."""
    seen = read_picture(io.BytesIO(body))
    probabilities = champion.predict(seen.image[None])
    details = {"warning": seen.warning, "seen": seen.image.tolist()}
    return 1, write_answer(champion, probabilities, **details)


async def _read_body(request: Request, limit: int) -> bytes:
    """Return the body of a request.

    Starlette's limit would answer in plain text, and has one size for all.

    Raises:
        HTTPException: It has, or says that it has, more bytes than the limit, or is too slow.
    """
    body = bytearray()
    expected = int(request.headers.get("content-length", 0))
    try:
        async with asyncio.timeout(BODY_SECONDS):
            if expected <= limit:
                async for chunk in request.stream():
                    body += chunk
                    if len(body) > limit:
                        break
    except TimeoutError as error:
        raise HTTPException(
            HTTPStatus.REQUEST_TIMEOUT,
            f"expected the whole body within {BODY_SECONDS:g} s, found {len(body):,} bytes of it",
        ) from error
    if max(expected, len(body)) > limit:
        raise HTTPException(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"expected a body of at most {limit // MEBIBYTE} MiB, found more",
        )
    return bytes(body)


async def _refuse(_: Request, error: Exception) -> JSONResponse:
    """Answer an error with one sentence."""
    status, sentence, headers = HTTPStatus.INTERNAL_SERVER_ERROR, "", None
    if isinstance(error, HTTPException):
        status, sentence, headers = HTTPStatus(error.status_code), error.detail, error.headers
    elif isinstance(error, (MessageError, PictureError)):
        status, sentence = HTTPStatus.UNPROCESSABLE_ENTITY, str(error)
    elif isinstance(error, ClientDisconnect):  # nobody reads it
        status, sentence = HTTPStatus.BAD_REQUEST, "the client went away"
    return JSONResponse({"error": SENTENCES.get(status, sentence)}, status, headers)
