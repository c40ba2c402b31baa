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

HEAD = re.compile(rb"HTTP/1.1 200 .*\r\ncontent-length: (\d+)\r\n.*?\r\n\r\n", re.DOTALL | re.I)


def send_all(port: int, request: bytes, requests: int) -> list[float]:
    """Send requests over one connection, each after the answer to the last; return milliseconds.

    Raises:
        ValueError: An answer is not what was asked for.
    """
    milliseconds = []
    with socket.create_connection(("127.0.0.1", port)) as connection:
        for _ in range(requests):
            start = time.perf_counter()
            connection.sendall(request)
            answer = connection.recv(65536)
            if not (head := HEAD.match(answer)):
                raise ValueError(f"expected status 200 and a length, found {answer!r}")
            missing = int(head[1]) + head.end() - len(answer)
            while missing > 0 and (piece := connection.recv(missing)):
                missing -= len(piece)
            milliseconds.append(1000 * (time.perf_counter() - start))
    return milliseconds


if __name__ == "__main__":
    port, path, requests, connections = int(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:])
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
