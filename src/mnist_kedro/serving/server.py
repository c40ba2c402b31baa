"""The server: where it listens, what it takes from a connection, how long it waits."""

from __future__ import annotations

import errno
import ipaddress
import json
import socket
from itertools import chain
from typing import TYPE_CHECKING

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from mnist_kedro.serving.app import create_app
from mnist_kedro.serving.guard import Guard

if TYPE_CHECKING:
    import asyncio

    from mnist_kedro.serving.champion import Champions

PORT = 8000  # unless it is taken
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
LONG_HEAD = "expected a shorter address or fewer headers"
MAX_HEAD_BYTES = 32 * 1024  # of a request's line and headers
REQUEST_SECONDS = 20.0  # within which a request arrives, after which its connection is closed
GOODBYE_SECONDS = 3  # for requests under way when the server stops


class GuardedProtocol(HttpToolsProtocol):
    """Uvicorn's protocol, with limits that it lacks: to a request's head and its time to arrive."""

    _head_bytes = 0
    _keep_alive = True
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Give the first request its time."""
        super().connection_made(transport)
        self._set_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadline."""
        self._clear_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Refuse a head, or trailers of a body in chunks, without an end."""
        super().data_received(data)
        self._head_bytes += len(data)
        if self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response(LONG_HEAD)

    def on_body(self, body: bytes) -> None:
        """Count a body apart: the application limits it."""
        self._head_bytes -= len(body)
        super().on_body(body)

    def on_message_begin(self) -> None:
        """Give a request on a connection that was kept its time."""
        super().on_message_begin()
        self._head_bytes = 0
        self._set_deadline()

    def on_headers_complete(self) -> None:
        """Refuse a head that is too long."""
        if len(self.url) + sum(map(len, chain.from_iterable(self.headers))) > MAX_HEAD_BYTES:
            raise ValueError(LONG_HEAD)  # the parser turns it into an answer
        super().on_headers_complete()
        # To close while a body still comes in would lose an answer that refuses it.
        self._keep_alive, self.cycle.keep_alive = self.cycle.keep_alive, True

    def on_message_complete(self) -> None:
        """Forget the deadline: the request is here, and perhaps answered already."""
        self._clear_deadline()
        self.cycle.keep_alive = self._keep_alive
        if self.cycle.response_complete and not self._keep_alive:
            self.transport.close()
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no request with a sentence in JSON, as all errors are."""
        body = json.dumps({"error": msg})
        head = (
            "HTTP/1.1 400 Bad Request",
            "content-type: application/json",
            f"content-length: {len(body)}",
            "connection: close",
        )
        self.transport.write("\r\n".join((*head, "", body)).encode())
        self.transport.close()

    def _set_deadline(self) -> None:
        self._clear_deadline()
        self._deadline = self.loop.call_later(REQUEST_SECONDS, self.transport.close)

    def _clear_deadline(self) -> None:
        if self._deadline:
            self._deadline.cancel()


def listen(host: str, port: int | None) -> socket.socket:
    """Return a socket that listens.

    Args:
        host: Name or address of one of this machine's interfaces.
        port: `None` means 8000, or a free one if that is taken.

    Raises:
        OSError: It cannot listen there.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, PORT if port is None else port), family=family)
    except OSError as error:
        if port is None and error.errno == errno.EADDRINUSE:
            return socket.create_server((host, 0), family=family)
        reason = str(error.strerror).partition(" (")[0]  # not the address once more
        raise OSError(
            f"expected to be able to listen on port {port or PORT} of {host}, found: "
            f"{reason}; choose others with --host and --port"
        ) from error


def is_loopback(host: str) -> bool:
    """Tell whether only this machine reaches that name or address of its own."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def create_server(champions: Champions, host: str) -> uvicorn.Server:
    """Return the server; `run(sockets=[...])` serves on what `listen` returned, until Ctrl-C.

    Args:
        champions: Who answers.
        host: As it was told to `listen`; of all interfaces, any Host header is taken.
    """
    everywhere = host in ("0.0.0.0", "::")  # noqa: S104 (only compared)
    hosts = None if everywhere else {*LOOPBACK, f"[{host}]" if ":" in host else host.lower()}
    config = uvicorn.Config(
        Guard(create_app(champions), hosts),
        http=GuardedProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GOODBYE_SECONDS,
    )
    return uvicorn.Server(config)
