"""What the real server answers to those who do not mean well; each time, it answers the next."""

import itertools
import json
import socket
import struct
import zlib

import pytest

from tests.serving.demo_process import JSON, SECONDS
from tests.serving.mean_digits import BLANK, picture

MEBIBYTE = 2**20

pytestmark = pytest.mark.usefixtures("still_answers")


@pytest.fixture
def still_answers(server):
    """After whatever a test does, the server answers as before."""
    yield
    status, answer = server.predict(BLANK)
    assert status == 200
    assert len(answer["predictions"]) == 1


def bomb(side=50_000):
    """A PNG of 2.5 gigapixels in few bytes."""

    def chunk(name, data):
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(MEBIBYTE))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )


def head(path="/predict", *headers, method="POST"):
    lines = (f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *headers, "", "")
    return "\r\n".join(lines).encode()


def post(kind, length, *headers):
    return head("/predict", f"Content-Type: {kind}", f"Content-Length: {length}", *headers)


IMAGE_BODIES = {
    "decompression bomb": bomb(),
    "truncated JPEG": picture("JPEG")[:600],
    "SVG": b'<svg xmlns="http://www.w3.org/2000/svg" width="28" height="28"/>',
    "HTML": b"<!doctype html><script>alert(1)</script>",
    "nothing": b"",
    "zeros": bytes(1000),
}
OTHERS = {
    "another type": (415, post("text/plain", 0)),
    "no type": (415, head("/predict", "Content-Length: 0")),
    "JSON without end": (422, post("application/json", 1) + b"{"),
    "another address": (404, head("/no/such", method="GET")),
    "another address, almost": (404, head("/health/", method="GET")),
    "another method": (405, head("/predict", method="GET")),
    "DELETE": (405, head("/model", method="DELETE")),
    "up": (404, head("/static/../app.py", method="GET")),
    "up, encoded": (404, head("/static/%2e%2e/app.py", method="GET")),
    "up, slash encoded": (404, head("/static/..%2fapp.py", method="GET")),
    "up, backslash": (404, head("/static/..%5capp.py", method="GET")),
    "absolute": (404, head("/static//etc/passwd", method="GET")),
    "absolute, encoded": (404, head("/static/%2fetc%2fpasswd", method="GET")),
    "zero byte": (404, head("/static/index.html%00", method="GET")),
    "long name": (404, head(f"/static/{'a' * 5000}", method="GET")),
    "folder": (404, head("/static/", method="GET")),
    "foreign host": (400, b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n"),
    "foreign host with port": (400, b"GET / HTTP/1.1\r\nHost: evil.example:80\r\n\r\n"),
    "foreign host that begins like ours": (400, b"GET / HTTP/1.1\r\nHost: 127.0.0.1.evil\r\n\r\n"),
    "no host": (400, b"GET / HTTP/1.1\r\n\r\n"),
    "no HTTP": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
    "no such method": (400, b"BREW / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"),
    "two lengths": (400, head("/predict", "Content-Length: 5", "Content-Length: 6")),
    "negative length": (400, head("/predict", "Content-Length: -1")),
    "length and chunks": (400, head("/predict", "Content-Length: 5", "Transfer-Encoding: chunked")),
    "large header": (400, head("/health", f"X-Large: {'a' * 40_000}", method="GET")),
    "many headers": (400, head("/health", *["X-Many: 1"] * 20_000, method="GET")),
    "long address": (400, head(f"/{'a' * 40_000}", method="GET")),
    "a body of 500 MB": (413, post("image/png", 500_000_000) + bytes(MEBIBYTE)),
    "JSON of 6 MB": (413, post("application/json", 6_000_000) + bytes(6_000_000)),
}  # fmt: skip


@pytest.mark.parametrize("body", IMAGE_BODIES.values(), ids=IMAGE_BODIES)
def test_what_is_no_picture_is_refused(server, body):
    status, answer = server.json("POST", "/predict", body, {"Content-Type": "image/png"})
    assert status == 422
    assert is_sentence(answer)


@pytest.mark.parametrize("images", [[], [[1, 2]], [BLANK] * 1001, "text", [[["x"]]], None])
def test_wrong_shapes_are_refused(server, images):
    status, answer = server.predict(images)
    assert status == 422
    assert is_sentence(answer)


@pytest.mark.parametrize("pixel", ["NaN", "Infinity", "-1", "256", "1.5", "true", '"1"', "1e999"])
def test_wrong_pixels_are_refused(server, pixel):
    body = json.dumps({"images": BLANK}).replace("0", pixel, 1)
    status, answer = server.json("POST", "/predict", body, JSON)
    assert status == 422
    assert is_sentence(answer)


def test_deep_nesting_is_refused(server):
    status, answer = server.json("POST", "/predict", "[" * 1_000_000, JSON)
    assert status == 422
    assert is_sentence(answer)


@pytest.mark.parametrize(("status", "request_bytes"), OTHERS.values(), ids=OTHERS)
def test_other_requests_are_refused(server, status, request_bytes):
    found, answer = server.send(request_bytes)
    assert found == status
    assert is_sentence(answer)


@pytest.mark.parametrize("part", ["bytes=0-9", "bytes=9999999-", "digits"])
def test_whoever_asks_for_a_part_of_the_page_gets_all_of_it(server, part):
    whole = server.request("GET", "/")[2]
    status, _, content = server.request("GET", "/", headers={"Range": part})
    assert status == 200
    assert content == whole


def test_who_sends_a_large_body_to_its_end_gets_the_refusal(server):
    body = itertools.repeat(bytes(MEBIBYTE), 100)
    start = post("image/png", 100 * MEBIBYTE, "Connection: close")
    status, answer = server.send(start, *body)
    assert status == 413
    assert is_sentence(answer)


def test_a_body_without_end_is_refused(server):
    chunk = b"10000\r\n" + bytes(0x10000) + b"\r\n"
    start = head("/predict", "Content-Type: image/png", "Transfer-Encoding: chunked")
    status, answer = server.send(start, *[chunk] * (13 * MEBIBYTE // 0x10000))
    assert status == 413
    assert is_sentence(answer)


def test_a_header_without_end_is_refused(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=SECONDS) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nX-Endless: ")
        with pytest.raises(ConnectionError):
            connection.sendall(bytes([97]) * 100 * MEBIBYTE)


def test_trailers_without_end_are_refused(server):
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=SECONDS) as connection:
        connection.sendall(head)
        with pytest.raises(ConnectionError):
            connection.sendall(b"X-Trailer: 1\r\n" * 10 * MEBIBYTE)
    assert server.json("GET", "/health")[0] == 200


def test_too_many_requests_at_once_are_told_to_come_again(server):
    start = post("image/png", 9)
    waiting = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(64)]
    try:
        for each in waiting:
            each.sendall(start)
        for _ in range(50):
            status, answer = server.json("GET", "/health")
            if status != 200:
                break
        assert status == 503
        assert is_sentence(answer)
    finally:
        for each in waiting:
            each.close()
    for _ in range(50):
        if server.json("GET", "/health")[0] == 200:
            break


def is_sentence(answer):
    return answer.keys() == {"error"} and len(answer["error"]) > 20
