"""`kedro demo` under load, against `mlflow models serve` of the same champion; and pictures.

Memory is read from `/proc`, which only Linux has.
"""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import requests
from PIL import Image

from benchmarks.commands import KEDRO, run
from benchmarks.default_run import copy_project
from benchmarks.measure import Row, announce, compare, in_turn
from mnist_kedro.data.sources import embedded_digits
from mnist_kedro.images.normalization import read_picture
from mnist_kedro.serving.champion import Champion, open_champion

if TYPE_CHECKING:
    from collections.abc import Iterator

HTTP_LOAD = Path(__file__).with_name("http_load.py")
REQUESTS = 2_000
CONNECTIONS = 4
LOG = "server.log"
PATIENCE = 120  # seconds until a server that does not answer counts as broken
PEER = "mlflow models serve"
MEASURES = {  # unit, goal
    "start to first answer": ("s", "ours <= 3 s"),
    "single digits as JSON, 4 connections": ("/s", ">= 5, ours >= 600 /s"),
    "the same, p99": ("ms", "ours <= 20 ms"),
    "memory of the server, peak": ("MB", "ours <= 300 MB"),
}


@dataclass(frozen=True)
class Server:
    """A way to serve the champion: the command but for its port, and how a request looks."""

    command: tuple[str, ...]
    path: str
    key: str  # of the images in the request


def sides(data: str) -> tuple[Server, Server]:
    """Return the project's server and MLflow's, of the champion of this data set."""
    ours = (*KEDRO, "demo", "--no-browser", "--port")
    served = ("models", "serve", "-m", f"models:/{data}@champion", "--env-manager", "local", "-p")
    theirs = (sys.executable, "-m", "mlflow", *served)
    return Server(ours, "/predict", "images"), Server(theirs, "/invocations", "inputs")


def measure_group(_folder: Path, runs: int) -> tuple[list[Row], list[str]]:
    """Return the rows of the servers and of the pictures."""
    with TemporaryDirectory() as temporary:
        project = copy_project(Path(temporary))
        run((*KEDRO, "run", "--params", "data_ingestion.source=embedded"), project)
        champion = load_champion(project)
        announce("serving", PEER)
        servers = [partial(measure, each, project) for each in sides(champion.model.data)]
        ours, theirs = (list(zip(*of_side, strict=True)) for of_side in in_turn(servers, runs))
    rows = [
        Row.of(name, PEER, our, their, goal, unit)
        for (name, (unit, goal)), our, their in zip(MEASURES.items(), ours, theirs, strict=True)
    ]
    return rows + picture_rows(champion), [
        f"Served: {champion.model.candidate}, of {champion.model.data}"
    ]


def measure(server: Server, project: Path) -> tuple[float, float, float, float]:
    """Start a server and load it; return seconds, requests a second, milliseconds, megabytes."""
    body = json.dumps({server.key: embedded_digits().test_images[:1].tolist()})
    start = time.perf_counter()
    with started(server, project) as (process, port):
        wait_for_answer(process, f"http://127.0.0.1:{port}{server.path}", body, project / LOG)
        first = time.perf_counter() - start
        arguments = (str(port), server.path, str(REQUESTS), str(CONNECTIONS))
        loaded: dict[str, Any] = json.loads(
            subprocess.check_output(
                [sys.executable, str(HTTP_LOAD), *arguments], input=body.encode()
            )
        )
        megabytes = peak_megabytes(process.pid)
    milliseconds = loaded["milliseconds"]
    rate = len(milliseconds) / loaded["seconds"]
    return first, rate, float(np.percentile(milliseconds, 99)), megabytes


@contextmanager
def started(server: Server, project: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Start a server on a free port, and stop all its processes."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {
        "MLFLOW_TRACKING_URI": f"sqlite:///{project.resolve() / 'mlflow.db'}",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",  # for uvicorn
    }
    with (project / LOG).open("wb") as log:
        process = subprocess.Popen(
            [*server.command, str(port)],
            cwd=project,
            env=os.environ | environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            yield process, port
        finally:
            with suppress(ProcessLookupError):  # it has failed, as somebody will say
                os.killpg(process.pid, signal.SIGTERM)
            process.wait()


def wait_for_answer(process: subprocess.Popen[bytes], url: str, body: str, log: Path) -> None:
    """Ask until there is an answer.

    Raises:
        TimeoutError: The server has ended, or lets one wait for too long; ends with its log.
    """
    end = time.perf_counter() + PATIENCE
    while time.perf_counter() < end and process.poll() is None:
        try:
            answer = requests.post(
                url, body, headers={"Content-Type": "application/json"}, timeout=PATIENCE
            )
            answer.raise_for_status()
        except requests.ConnectionError:
            time.sleep(0.02)
        else:
            return
    raise TimeoutError(f"expected an answer of {url} in {PATIENCE} s:\n{log.read_text()}")


def peak_megabytes(process: int) -> float:
    """Return the peak memory of a process and of those that it has started, added up."""
    folder = Path(f"/proc/{process}")
    lines = (folder / "status").read_text().splitlines()
    peak = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))  # KiB
    children = (folder / "task" / str(process) / "children").read_text().split()
    return 1024 * peak / 1e6 + sum(peak_megabytes(int(child)) for child in children)


def load_champion(project: Path) -> Champion:
    """Open the final model that a run has saved."""
    folder = project / "data" / "06_models" / "final_model"
    (model,) = folder.glob("model.onnx/*/model.onnx")
    (manifest,) = folder.glob("manifest.json/*/manifest.json")
    return open_champion(model.parent.name, model.read_bytes(), json.loads(manifest.read_text()))


def picture_rows(champion: Champion) -> list[Row]:
    """Return the rows of a small picture and of a photograph, from their bytes to their labels."""
    digit = Image.fromarray(255 - embedded_digits().test_images[0])
    pictures = {
        "from a PNG of 28x28 to its label": (encode(digit, "PNG"), "ours <= 5 ms"),
        "from a JPEG of 12 megapixels to its label": (photograph(), "ours <= 60 ms"),
    }
    rows = []
    for name, (picture, goal) in pictures.items():
        peers = {"Pillow's draft and resize": (partial(read_plainly, champion, picture), goal)}
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


def photograph() -> bytes:
    """Return a JPEG of 12 megapixels: a digit on paper with a shadow, and a camera's noise."""
    width, height = 4000, 3000
    ink = Image.fromarray(embedded_digits().test_images[0]).resize((height, height), Image.BICUBIC)
    paper = np.linspace(220, 150, width, dtype=np.float32)[None].repeat(height, axis=0)
    paper[:, (width - height) // 2 :][:, :height] -= 0.4 * np.asarray(ink, np.float32)
    paper += np.random.default_rng(0).normal(0, 3, paper.shape)
    return encode(Image.fromarray(paper.clip(0, 255).astype(np.uint8)).convert("RGB"), "JPEG")


def encode(image: Image.Image, kind: str) -> bytes:
    """Return the bytes of a picture."""
    file = io.BytesIO()
    image.save(file, kind, quality=90)
    return file.getvalue()
