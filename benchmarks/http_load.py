"""Send the same request again and again; print its seconds and each one's milliseconds, as JSON.

A process of its own, so that it shares no interpreter with what it measures, and with bare sockets:
`http.client` would take as much of the processor as a server that answers at once.

Usage: `python benchmarks/http_load.py PORT PATH REQUESTS CONNECTIONS < BODY`
"""

from __future__ import annotations

import json
import re
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain

PIECE = 65536  # bytes
LENGTH = re.compile(rb"^HTTP/1.1 200 .*\r\ncontent-length: (\d+)\r\n", re.DOTALL | re.IGNORECASE)


def main(port: int, path: str, requests: int, connections: int) -> None:
    """Load and measure."""
    body = sys.stdin.buffer.read()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    send = partial(send_all, port, head.encode() + body)
    with ThreadPoolExecutor(connections) as threads:
        start = time.perf_counter()
        by_connection = threads.map(send, [requests // connections] * connections)
        milliseconds = list(chain.from_iterable(by_connection))
        seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "milliseconds": milliseconds}))


def send_all(port: int, request: bytes, requests: int) -> list[float]:
    """Send requests over one connection, each after the answer to the last; return milliseconds."""
    milliseconds = []
    with socket.create_connection(("127.0.0.1", port)) as connection:
        for _ in range(requests):
            start = time.perf_counter()
            connection.sendall(request)
            receive(connection)
            milliseconds.append(1000 * (time.perf_counter() - start))
    return milliseconds


def receive(connection: socket.socket) -> None:
    """Read one answer to its end.

    Raises:
        ValueError: It is not what was asked for.
    """
    answer = connection.recv(PIECE)
    head, found, body = answer.partition(b"\r\n\r\n")
    length = LENGTH.match(head + b"\r\n")
    if not found or not length:
        raise ValueError(f"expected an answer with status 200 and its length, found {answer!r}")
    missing = int(length[1]) - len(body)
    while missing > 0 and (piece := connection.recv(PIECE)):
        missing -= len(piece)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:]))
