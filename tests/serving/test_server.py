"""The real server, against clients that mean well and clients that do not."""

import io
import itertools
import json
import re
import socket
import struct
import zlib
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image

from mnist_kedro.sources import embedded_digits
from tests.serving.demo_process import JSON, SECONDS, demo, free_port
from tests.serving.mean_digits import make_manifest, make_model, mean_images, save_champion

VERSION = "2026-01-01T00.00.00.000Z"
BLANK = np.zeros((28, 28), int).tolist()
MEBIBYTE = 2**20


@pytest.fixture(scope="module")
def served_project(tmp_path_factory, copy_project):
    model = make_model(mean_images())
    folder = copy_project(tmp_path_factory.mktemp("serving") / "project")
    save_champion(folder, VERSION, model, make_manifest(model))
    return folder


@pytest.fixture(scope="module")
def server(served_project):
    with demo(served_project) as running:
        yield running


@pytest.fixture
def still_answers(server):
    """After whatever a test does, the server answers as before."""
    yield
    status, answer = server.predict(BLANK)
    assert status == 200
    assert len(answer["predictions"]) == 1


def picture(format="PNG", size=(280, 280), digit=None):
    """The bytes of a picture: a real digit, dark on white."""
    digit = embedded_digits().test_images[0] if digit is None else digit
    file = io.BytesIO()
    Image.fromarray(255 - digit).resize(size).save(file, format)
    return file.getvalue()


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


def test_pixels_of_one_and_of_many_digits_are_read(server):
    digits = embedded_digits()
    status, answer = server.predict(digits.test_images.tolist())
    assert status == 200
    labels = [each["label"] for each in answer["predictions"]]
    assert (labels == digits.test_labels).mean() > 0.7
    assert answer["version"] == VERSION
    assert answer["classes"] == list(range(10))
    status, one = server.predict(digits.test_images[0].tolist())
    assert status == 200
    (prediction,) = one["predictions"]
    assert prediction["label"] == labels[0]
    assert prediction["confidence"] == max(prediction["probabilities"])
    assert prediction["warning"] is None


def test_a_picture_is_read_and_what_was_seen_is_told(server):
    status, answer = server.json("POST", "/predict", picture(), {"Content-Type": "image/png"})
    assert status == 200
    (prediction,) = answer["predictions"]
    seen = np.array(prediction["seen"])
    assert seen.shape == (28, 28)
    assert 0 <= seen.min() < seen.max() <= 255
    _, again = server.predict(prediction["seen"])
    assert again["predictions"][0]["label"] == prediction["label"]


def test_health_and_model(server):
    assert server.json("GET", "/health") == (200, {"status": "ok"})
    status, model = server.json("GET", "/model")
    assert status == 200
    assert model["version"] == VERSION
    assert model.keys() == {
        "candidate",
        "test_accuracy",
        "test_accuracy_low",
        "test_accuracy_high",
        "data",
        "data_sha256",
        "classes",
        "version",
        "onnx_sha256",
    }


def test_the_page_is_served_under_a_strict_policy(server):
    status, headers, content = server.request("GET", "/")
    assert status == 200
    assert headers["content-type"].startswith("text/html")
    assert b"<!doctype html>" in content.lower()
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert server.request("GET", "/static/index.html")[2] == content


def test_the_documentation_needs_no_network(server):
    _, headers, page = server.request("GET", "/docs")
    addresses = re.findall(r'(?:src|href|url)\s*[=:]\s*["\']([^"\']+)', page.decode())
    assert len(addresses) == 4
    assert {urlsplit(each).netloc for each in addresses} <= {"", f"127.0.0.1:{server.port}"}
    assert "'self'" in headers["content-security-policy"]
    assert "http" not in headers["content-security-policy"]
    for address in addresses:
        assert server.request("GET", urlsplit(address).path)[0] == 200
    assert b"http" not in server.request("GET", "/openapi.json")[2]


def test_openapi_describes_pixels_pictures_answers_and_refusals(server):
    _, openapi = server.json("GET", "/openapi.json")
    assert openapi["openapi"].startswith("3.1")
    operation = openapi["paths"]["/predict"]["post"]
    content = operation["requestBody"]["content"]
    one, many = content["application/json"]["schema"]["oneOf"]
    assert one["properties"]["images"]["maxItems"] == 28
    assert many["properties"]["images"]["maxItems"] == 1000
    assert content["image/*"]["schema"]["format"] == "binary"
    assert operation["responses"].keys() == {"200", "408", "413", "415", "422"}
    assert openapi["paths"].keys() == {"/predict", "/health", "/model"}


IMAGE_BODIES = {
    "decompression bomb": bomb(),
    "truncated JPEG": picture("JPEG")[:600],
    "SVG": b'<svg xmlns="http://www.w3.org/2000/svg" width="28" height="28"/>',
    "HTML": b"<!doctype html><script>alert(1)</script>",
    "nothing": b"",
    "zeros": bytes(1000),
}
OTHERS = {
    "another type": (415, head("/predict", "Content-Type: text/plain", "Content-Length: 0")),
    "no type": (415, head("/predict", "Content-Length: 0")),
    "JSON without end": (422, head("/predict", "Content-Type: application/json", "Content-Length: 1") + b"{"),
    "another address": (404, head("/no/such", method="GET")),
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
    "foreign host that looks like ours": (400, b"GET / HTTP/1.1\r\nHost: 127.0.0.1.evil.example\r\n\r\n"),
    "no host": (400, b"GET / HTTP/1.1\r\n\r\n"),
    "no HTTP": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
    "no such method": (400, b"BREW / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"),
    "two lengths": (400, head("/predict", "Content-Length: 5", "Content-Length: 6")),
    "negative length": (400, head("/predict", "Content-Length: -1")),
    "length and chunks": (400, head("/predict", "Content-Length: 5", "Transfer-Encoding: chunked")),
    "large header": (400, head("/health", f"X-Large: {'a' * 40_000}", method="GET")),
    "many headers": (400, head("/health", *["X-Many: 1"] * 20_000, method="GET")),
    "long address": (400, head(f"/{'a' * 40_000}", method="GET")),
    "a body of 500 MB": (413, head("/predict", "Content-Type: image/png", "Content-Length: 500000000") + bytes(MEBIBYTE)),
    "JSON of 6 MB": (413, head("/predict", "Content-Type: application/json", "Content-Length: 6000000") + bytes(6_000_000)),
}  # fmt: skip


@pytest.mark.usefixtures("still_answers")
@pytest.mark.parametrize("body", IMAGE_BODIES.values(), ids=IMAGE_BODIES)
def test_what_is_no_picture_is_refused(server, body):
    status, answer = server.json("POST", "/predict", body, {"Content-Type": "image/png"})
    assert status == 422
    assert is_sentence(answer)


@pytest.mark.usefixtures("still_answers")
@pytest.mark.parametrize("images", [[], [[1, 2]], [BLANK] * 1001, "text", [[["x"]]], None])
def test_wrong_shapes_are_refused(server, images):
    status, answer = server.predict(images)
    assert status == 422
    assert is_sentence(answer)


@pytest.mark.usefixtures("still_answers")
@pytest.mark.parametrize("pixel", ["NaN", "Infinity", "-1", "256", "1.5", "true", '"1"', "1e999"])
def test_wrong_pixels_are_refused(server, pixel):
    body = json.dumps({"images": BLANK}).replace("0", pixel, 1)
    status, answer = server.json("POST", "/predict", body, JSON)
    assert status == 422
    assert is_sentence(answer)


@pytest.mark.usefixtures("still_answers")
def test_deep_nesting_is_refused(server):
    status, answer = server.json("POST", "/predict", "[" * 1_000_000, JSON)
    assert status == 422
    assert is_sentence(answer)


@pytest.mark.usefixtures("still_answers")
@pytest.mark.parametrize(("status", "request_bytes"), OTHERS.values(), ids=OTHERS)
def test_other_requests_are_refused(server, status, request_bytes):
    found, answer = server.send(request_bytes)
    assert found == status
    assert is_sentence(answer)


@pytest.mark.usefixtures("still_answers")
def test_who_sends_a_large_body_to_its_end_gets_the_refusal(server):
    body = itertools.repeat(bytes(MEBIBYTE), 100)
    status, answer = server.send(
        head(
            "/predict",
            "Content-Type: image/png",
            f"Content-Length: {100 * MEBIBYTE}",
            "Connection: close",
        ),
        *body,
    )
    assert status == 413
    assert is_sentence(answer)


@pytest.mark.usefixtures("still_answers")
def test_a_body_without_end_is_refused(server):
    chunk = b"10000\r\n" + bytes(0x10000) + b"\r\n"
    start = head("/predict", "Content-Type: image/png", "Transfer-Encoding: chunked")
    status, answer = server.send(start, *[chunk] * (13 * MEBIBYTE // 0x10000))
    assert status == 413
    assert is_sentence(answer)


@pytest.mark.usefixtures("still_answers")
def test_a_header_without_end_is_refused(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=SECONDS) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nX-Endless: ")
        sent = 0
        with pytest.raises(OSError):  # noqa: PT011 (reset or broken pipe)
            while sent < 100 * MEBIBYTE:
                sent += connection.send(bytes([97]) * 65536)


@pytest.mark.usefixtures("still_answers")
@pytest.mark.slow
def test_a_body_that_does_not_come_is_given_up(server):
    status, answer = server.send(head("/predict", "Content-Type: image/png", "Content-Length: 9"))
    assert status == 408
    assert answer == {"error": "expected the whole body within 10 s, found 0 bytes of it"}


@pytest.mark.usefixtures("still_answers")
def test_too_many_requests_at_once_are_told_to_come_again(server):
    start = head("/predict", "Content-Type: image/png", "Content-Length: 9")
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


def test_the_log_has_a_line_per_request_and_nothing_that_was_sent(server):
    before = len(server.log())
    secret = [[251] * 28] * 28
    server.predict(secret)
    server.request("GET", "/secret-path?secret-query", headers={"X-Secret": "secret-header"})
    server.json("POST", "/predict", picture(), {"Content-Type": "image/png"})
    server.request("POST", "/predict", b"secret-text", {"Content-Type": "secret/type"})
    lines = server.log()[before:]
    assert [line["status"] for line in lines] == [200, 404, 200, 415]
    assert [line["path"] for line in lines] == ["/predict", None, "/predict", "/predict"]
    assert [line["predictions"] for line in lines] == [1, 0, 1, 0]
    assert {frozenset(line) for line in lines} == {
        frozenset({"time", "method", "path", "status", "bytes", "ms", "predictions"})
    }
    printed = server.err.read_text() + server.out.read_text()
    assert "secret" not in printed
    assert "251" not in re.sub(r'"(ms|time)": [^,]*', "", printed)
    assert "Traceback" not in printed


def test_it_names_its_address_and_stops_quietly(served_project):
    with demo(served_project, port=(port := free_port())) as running:
        running.json("GET", "/health")
    assert running.process.returncode == 0
    assert running.out.read_text() == f"Draw digits at http://127.0.0.1:{port} (Ctrl-C stops)\n"
    assert len(running.err.read_text().splitlines()) == len(running.log()) == 1


def is_sentence(answer):
    return answer.keys() == {"error"} and len(answer["error"]) > 20
