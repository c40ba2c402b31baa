"""Send the same request again and again; print its seconds and each one's milliseconds, as JSON.

A process of its own, so that it shares no interpreter with what it measures.

Usage: `python benchmarks/http_load.py PORT PATH REQUESTS CONNECTIONS < BODY`
"""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http import HTTPStatus
from http.client import HTTPConnection
from itertools import chain

HEADERS = {"Content-Type": "application/json"}


def main(port: int, path: str, requests: int, connections: int) -> None:
    """Load and measure."""
    send = partial(send_all, port, path, sys.stdin.buffer.read())
    with ThreadPoolExecutor(connections) as threads:
        start = time.perf_counter()
        by_connection = threads.map(send, [requests // connections] * connections)
        milliseconds = list(chain.from_iterable(by_connection))
        seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "milliseconds": milliseconds}))


def send_all(port: int, path: str, body: bytes, requests: int) -> list[float]:
    """Send requests over one connection, each after the answer to the last; return milliseconds."""
    connection = HTTPConnection("127.0.0.1", port)
    milliseconds = []
    for _ in range(requests):
        start = time.perf_counter()
        connection.request("POST", path, body, HEADERS)
        response = connection.getresponse()
        content = response.read()
        milliseconds.append(1000 * (time.perf_counter() - start))
        if response.status != HTTPStatus.OK:
            raise ValueError(
                f"expected an answer from {path}, found {response.status}: {content!r}"
            )
    return milliseconds


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:]))
