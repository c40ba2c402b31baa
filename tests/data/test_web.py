"""Downloads are given up in time, and what they leave behind ends."""

import threading
import time

import pytest

from mnist_kedro.data import web
from mnist_kedro.data.web import Download
from tests.hostile import BAD, GZIP, dripping, endless

NAME = "t10k-labels-idx1-ubyte.gz"


def read(mirror, pause=0):
    """Return what comes, and the size that was announced; with a pause, there is always more."""
    content = b""
    with Download(mirror.url + NAME) as arriving:
        for chunk in arriving:
            content += chunk
            time.sleep(pause)
    return content, arriving.size


@pytest.mark.parametrize("headers", [{}, GZIP], ids=["plain", "an encoding"])
def test_bytes_are_those_that_were_sent(mirror, mirrored_files, headers):
    body = mirrored_files[NAME]
    assert read(mirror(lambda *_: (200, headers, body))) == (body, None)
    length = {"Content-Length": str(len(body))}
    assert read(mirror(lambda *_: (200, headers | length, body))) == (body, len(body))


def test_other_status_is_an_error(mirror):
    with pytest.raises(ConnectionError, match="^expected the status 200, found 404$"):
        read(mirror(lambda *_: (404, {}, b"")))


def test_no_reason_has_a_password():
    with pytest.raises(ConnectionError) as caught, Download("ftp://user:secret@host/") as arriving:
        next(iter(arriving))
    assert str(caught.value) == "No connection adapters were found for 'ftp://***@host/'"


def test_a_long_reason_is_cut(mirror):
    target = "ftp://many/" + "words " * 1000
    with pytest.raises(ConnectionError) as caught:
        read(mirror(lambda *_: (302, {"Location": target}, b"")))
    assert str(caught.value).startswith("No connection adapters were found for ")
    assert len(str(caught.value)) <= web.LONGEST_REASON


def test_the_body_of_a_redirect_is_not_read(mirror, monkeypatch):
    monkeypatch.setattr(web, "READ_SECONDS", 0.5)
    with pytest.raises(ConnectionError, match="^Exceeded 30 redirects.$"):
        read(mirror(BAD["redirect to itself, without end"]))


@pytest.mark.parametrize(
    ("limit", "value"), [("SLOWEST", 10**12), ("LONGEST_SECONDS", 0.2)], ids=["speed", "time"]
)
def test_too_slow_though_there_are_always_bytes(mirror, monkeypatch, limit, value):
    monkeypatch.setattr(web, "READ_SECONDS", 0.2)
    monkeypatch.setattr(web, limit, value)
    started = time.monotonic()
    with pytest.raises(TimeoutError, match="found a slower server"):
        read(mirror(lambda *_: (200, {}, endless(b"", b"some"))), pause=0.02)
    assert 0.2 <= time.monotonic() - started < 2


def test_a_slow_server_that_keeps_to_the_limit_is_waited_for(mirror, monkeypatch):
    monkeypatch.setattr(web, "READ_SECONDS", 0.5)
    monkeypatch.setattr(web, "SLOWEST", 2)

    def ten_bytes(handler):
        for _ in range(10):
            handler.wfile.write(b"a")
            time.sleep(0.1)

    assert read(mirror(lambda *_: (200, {}, ten_bytes))) == (b"a" * 10, None)


@pytest.mark.parametrize(
    "body", [dripping(), endless(b"", b"more")], ids=["dripping", "faster than it is read"]
)
def test_a_download_that_was_given_up_ends(mirror, body):
    server = mirror(lambda *_: (200, {}, body))
    with Download(server.url + NAME) as arriving:
        assert next(iter(arriving))
        (thread,) = (each for each in threading.enumerate() if each.name.endswith("(_read)"))
        time.sleep(0.1)  # the thread holds more, and waits
    thread.join(5)
    assert not thread.is_alive()
