"""The pages that people look at, in a headless Chromium: MLflow's UI, Kedro-Viz's site, the demo.

`make_screenshots.py` photographs them, the tests of the browser read them.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from typing import TYPE_CHECKING

from playwright.sync_api import ViewportSize, sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Page

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
CHROMIUM_OPTIONS = [
    "--no-sandbox",  # which root cannot use; all pages are our own
    "--no-proxy-server",
    # No name has an address, so no page can need anything from outside.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE *.localhost",
]
# What the pages remember of people who have been there: no hints.
REMEMBERED = {"KedroViz": {"showFeatureHints": False}}
PATIENCE = 20_000  # milliseconds until what should appear on a page counts as missing
SERVER_PATIENCE = 60  # seconds
SERVER_VARIABLES = {"DO_NOT_TRACK": "true"}


@contextmanager
def chromium_page(width: int = 1280, height: int = 900, *, phone: bool = False) -> Iterator[Page]:
    """Start a browser for one page of this many pixels, which a phone has under fingers."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_OPTIONS)
        size = ViewportSize(width=width, height=height)
        page = browser.new_page(viewport=size, is_mobile=phone, has_touch=phone)
        page.set_default_timeout(PATIENCE)
        for key, value in REMEMBERED.items():
            item = json.dumps(json.dumps(value))
            page.add_init_script(f"localStorage['{key}'] ??= {item}")
        yield page
        browser.close()


@contextmanager
def mlflow_ui(project: Path) -> Iterator[list[str]]:
    """Run `kedro ui`, and yield the links that it prints: candidates, charts, champions."""
    options = ("--no-browser", "--port", str(free_port()))
    with subprocess.Popen(
        [sys.executable, "-m", "kedro", "ui", *options],
        cwd=project,
        env=os.environ | SERVER_VARIABLES,
        start_new_session=True,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        try:
            lines = map(str.strip, server.stdout or ())
            yield list(islice((line for line in lines if line.startswith("http")), 3))
        finally:
            os.killpg(server.pid, signal.SIGTERM)  # MLflow's server too


@contextmanager
def demo(project: Path) -> Iterator[str]:
    """Serve the page to draw on, which a project's final model reads, and yield its address."""
    with _server(project, "kedro", "demo", "--no-browser") as url:
        yield url


@contextmanager
def viz_site(project: Path) -> Iterator[str]:
    """Build Kedro-Viz's static site of a project into its `build/`, and yield its address."""
    command = [sys.executable, "-m", "kedro", "viz", "build", "--include-previews"]
    subprocess.run(command, cwd=project, check=True, capture_output=True)
    with served(project / "build") as url:
        yield url


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder's files, and yield the address."""
    handler = partial(_QuietHandler, directory=folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def open_runs(page: Page, link: str) -> None:
    """Open one of the links to MLflow, and wait for the runs."""
    page.goto(link)
    page.locator(".ag-row a, .js-plotly-plot .point").first.wait_for()


def open_graph(page: Page, url: str, query: str = "") -> float:
    """Open the graph in Kedro-Viz, and return its zoom, once that no longer changes."""
    page.goto(f"{url}/{query}")
    page.locator(".pipeline-node").first.wait_for()
    graph, before, now = page.locator("#pipeline-graph #zoom-wrapper"), "", "none"
    while now != before:
        page.wait_for_timeout(1000)
        before, now = now, graph.get_attribute("transform") or ""
    return float(now.rpartition("scale(")[2].rstrip(")"))


@contextmanager
def _server(project: Path, *command: str) -> Iterator[str]:
    """Run a Python module's command, which takes a `--port`, and yield its address."""
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", *command, "--port", str(port)],
        cwd=project,
        env=os.environ | SERVER_VARIABLES,
        start_new_session=True,
    )
    try:
        wait_until_it_answers(server, port)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(server.pid, signal.SIGTERM)  # its workers too
        server.wait()


def free_port() -> int:
    """Return a port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return port


def wait_until_it_answers(server: subprocess.Popen[bytes], port: int) -> None:
    """Wait for a server on this machine.

    Raises:
        TimeoutError: It has ended, or does not listen for a minute.
    """
    for _ in range(SERVER_PATIENCE * 20):
        if server.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError(
        f"expected the server to answer within {SERVER_PATIENCE} s, it did not: see its messages "
        f"above"
    )


class _QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its name)
        pass
