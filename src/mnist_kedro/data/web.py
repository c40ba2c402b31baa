"""Bytes from web addresses, within limits of time that no server can stretch.

What waits for a server is a daemon thread, which holds up nobody: a server can answer a byte at a
time for ever, and no time-out of a socket ends that. The thread opens no file, so what it reads
after it was given up goes nowhere.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future, wait
from contextlib import suppress
from http import HTTPStatus
from queue import Empty, Queue
from textwrap import shorten
from time import monotonic
from typing import TYPE_CHECKING, Self

from mnist_kedro.parameters import public_address

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from requests import Response

ANSWER_SECONDS = 8.0  # within which a server answers, or counts as out of reach
READ_SECONDS = 20.0  # after which a download is given up that was slower than this:
SLOWEST = 10_000  # bytes per second
LONGEST_SECONDS = 1800.0  # of one download, however fast
CHUNK = 2**16  # bytes
LONGEST_REASON = 300  # characters: servers may have a part in the text of errors


def answering(urls: Sequence[str]) -> list[str]:
    """Return the addresses that answer within `ANSWER_SECONDS`, whatever they answer.

    All are asked at once, so being offline costs one time-out.
    """
    answers: dict[str, Future[bool]] = {url: Future() for url in urls}
    for url, answer in answers.items():
        threading.Thread(target=_ask, args=(url, answer), daemon=True).start()
    wait(answers.values(), timeout=ANSWER_SECONDS)
    return [url for url, answer in answers.items() if answer.done() and answer.result()]


class Download:
    """The bytes of a web address, as they come: for one loop inside of one `with`.

    They are as the server sends them. No `Content-Encoding` is undone: a few bytes of gzip can
    unpack to any number.

    Iterating raises:
        TimeoutError: Fewer than `SLOWEST` bytes per second came within `READ_SECONDS`, or there
            was no end within `LONGEST_SECONDS`.
        ConnectionError: The server cannot be reached, breaks off, or answers with another status
            than 200. The text has no password of an address in it.
    """

    def __init__(self, url: str) -> None:
        self.size: int | None = None  # bytes, where the server says it, from the first bytes on
        self._url = url
        self._arrived: Queue[bytes | ConnectionError] = Queue(maxsize=1)
        self._given_up = threading.Event()

    def __enter__(self) -> Self:
        threading.Thread(target=self._read, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._given_up.set()
        with suppress(Empty):  # makes room for what the thread holds, so that it goes on and ends
            self._arrived.get_nowait()

    def __iter__(self) -> Iterator[bytes]:
        end = monotonic() + LONGEST_SECONDS
        deadline, lacking = 0.0, 0.0  # in each span of time, so many bytes have to come
        while True:
            if lacking <= 0:
                deadline, lacking = monotonic() + READ_SECONDS, SLOWEST * READ_SECONDS
            chunk = self._next(min(deadline, end))
            if not chunk:
                return
            yield chunk
            lacking -= len(chunk)

    def _next(self, deadline: float) -> bytes:
        """Return bytes that have come, none at the end."""
        seconds_left = deadline - monotonic()
        with suppress(Empty):
            if seconds_left > 0:  # or else one that sends byte by byte would always have one ready
                chunk = self._arrived.get(timeout=seconds_left)
                if isinstance(chunk, ConnectionError):
                    raise chunk
                return chunk
        raise TimeoutError(
            f"expected {SLOWEST:,} bytes per second within any {READ_SECONDS:g} s, and the end "
            f"within {LONGEST_SECONDS:g} s, found a slower server"
        )

    def _read(self) -> None:
        """Hand over all bytes, then none, or an error, unless given up."""
        try:
            for chunk in self._chunks():
                self._arrived.put(chunk)
                if self._given_up.is_set():
                    return
            self._arrived.put(b"")
        except _network_errors() as error:
            reason = shorten(public_address(str(error)), LONGEST_REASON, placeholder=" ...")
            self._arrived.put(ConnectionError(reason))

    def _chunks(self) -> Iterator[bytes]:
        import requests

        with requests.get(
            self._url,
            headers={"Accept-Encoding": "identity"},
            hooks={"response": _leave_redirect_unread},
            stream=True,
            timeout=2 * READ_SECONDS,  # ends the thread: whoever waits has given up before
        ) as response:
            if response.status_code != HTTPStatus.OK:
                raise ConnectionError(f"expected the status 200, found {response.status_code}")
            self.size = response.raw.length_remaining
            while chunk := response.raw.read1(CHUNK, decode_content=False):
                yield chunk


def _ask(url: str, answer: Future[bool]) -> None:
    import requests

    try:
        requests.head(url, timeout=ANSWER_SECONDS).close()
    except _network_errors():
        answer.set_result(False)
    else:
        answer.set_result(True)


def _leave_redirect_unread(response: Response, **_: object) -> None:
    """Close it: requests would read its body, which may have no end, into memory."""
    if response.is_redirect:
        response.close()


def _network_errors() -> tuple[type[Exception], ...]:
    """Return what requests raises: `OSError`, and what it lets through of others.

    `ValueError` is of headers that are no text, `AssertionError` of redirects to a host with a
    space in its name, by a proxy.
    """
    from urllib3.exceptions import HTTPError

    return OSError, ValueError, AssertionError, HTTPError
