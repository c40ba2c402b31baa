"""Send the same request again and again; print predictions a second and milliseconds, as JSON.

A process of its own, so that it shares no interpreter with what it measures.

Usage: `python benchmarks/http_load.py PORT PATH REQUESTS CONNECTIONS < BODY`
"""

from __future__ import annotations

import http.client
import json
import sys
import threading
import time

HEADERS = {"Content-Type": "application/json"}


def main(port: int, path: str, requests: int, connections: int) -> None:
    """Load and measure."""
    body = sys.stdin.buffer.read()
    milliseconds: list[float] = []
    threads = [
        threading.Thread(
            target=send, args=(port, path, body, requests // connections, milliseconds)
        )
        for _ in range(connections)
    ]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "milliseconds": milliseconds}))


def send(port: int, path: str, body: bytes, requests: int, milliseconds: list[float]) -> None:
    """Send requests over one connection that is kept open, each after the answer to the last."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    for _ in range(requests):
        start = time.perf_counter()
        connection.request("POST", path, body, HEADERS)
        response = connection.getresponse()
        content = response.read()
        milliseconds.append(1000 * (time.perf_counter() - start))
        if response.status != http.client.OK:
            raise ValueError(
                f"expected an answer from {path}, found {response.status}: {content!r}"
            )


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:]))
