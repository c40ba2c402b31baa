"""The server: where it listens, to whom it answers, and its limits."""

from __future__ import annotations

import errno
import ipaddress
import socket
from typing import TYPE_CHECKING

import uvicorn

from mnist_kedro.parameters import UserError
from mnist_kedro.serving.app import create_app

if TYPE_CHECKING:
    from mnist_kedro.serving.champion import Champions

PORT = 8000  # unless it is taken
CONNECTIONS = 64  # with so many open, requests get status 503
GOODBYE_SECONDS = 3  # for requests under way when the server stops
HEADERS = {
    # Nothing from elsewhere. Swagger UI has a script and styles inside its page.
    "Content-Security-Policy": "default-src 'self' 'unsafe-inline'; img-src 'self' blob: data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def listen(host: str, port: int | None) -> socket.socket:
    """Return a socket that listens on a port of one of this machine's names or addresses.

    Without a port, it is 8000, or a free one if that is taken.

    Raises:
        UserError: It cannot listen there.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port or PORT), family=family)
    except OSError as error:
        if port is None and error.errno == errno.EADDRINUSE:
            return socket.create_server((host, 0), family=family)
        reason = str(error.strerror).partition(" (")[0]  # without the address
        raise UserError(
            f"cannot listen on port {port or PORT} of {host}: {reason}; "
            f"choose others with --host and --port"
        ) from error


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach that name or address of its own."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def create_server(champions: Champions, host: str, *, access_log: bool = False) -> uvicorn.Server:
    """Return the server; `run(sockets=[...])` serves on what `listen` returned, until Ctrl-C.

    Requests must address it as loopback or as `host`, unless that stands for all interfaces.
    `access_log` has uvicorn log each of them.
    """
    everywhere = host in ("0.0.0.0", "::")  # noqa: S104 (only compared)
    names = ["localhost", "127.0.0.1", "[::1]", f"[{host}]" if ":" in host else host]
    config = uvicorn.Config(
        create_app(champions, ["*"] if everywhere else names),
        lifespan="on",
        ws="none",
        log_config=None,
        log_level="info" if access_log else None,
        access_log=access_log,
        server_header=False,
        headers=list(HEADERS.items()),
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=GOODBYE_SECONDS,
    )
    return uvicorn.Server(config)
