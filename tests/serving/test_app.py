"""What the server answers: to those who mean well, and to those who do not."""

import json
import re
import struct
import zlib
from urllib.parse import urlsplit

import numpy as np
import pytest

from mnist_kedro.data.sources import embedded_digits
from mnist_kedro.serving.app import read_images
from tests.serving.mean_digits import BLANK, VERSION, form, picture

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 28, 28), dtype=np.uint8)
IMAGE = IMAGES[0].tolist()


def test_pixels_of_one_and_of_many_digits_are_read(client):
    digits = embedded_digits()
    status, answer = client.predict(digits.test_images.tolist())
    assert status == 200
    labels = [each["prediction"] for each in answer["predictions"]]
    assert (labels == digits.test_labels).mean() > 0.7
    assert answer["version"] == VERSION
    assert answer["classes"] == list(range(10))
    status, one = client.predict(digits.test_images[0].tolist())
    assert status == 200
    (prediction,) = one["predictions"]
    assert prediction["prediction"] == labels[0]
    assert prediction["class_name"] == str(labels[0])
    assert prediction["confidence"] == max(prediction["probabilities"])
    assert prediction["warning"] is None


def test_a_picture_is_read_and_what_was_seen_is_told(client):
    status, answer = client.json("POST", "/predict", picture(), "image/png")
    assert status == 200
    (prediction,) = answer["predictions"]
    assert np.array(prediction["seen"]).shape == (28, 28)
    _, again = client.predict(prediction["seen"])
    assert again["predictions"][0]["prediction"] == prediction["prediction"]


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("images", [IMAGES, IMAGES[:1], IMAGES[0]])
def test_images_keep_their_order_and_one_is_a_batch_of_one(images, indent):
    read = read_images(json.dumps({"images": images.tolist()}, indent=indent).encode())
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, images.reshape(-1, 28, 28))


def test_a_form_with_a_picture_is_answered_as_the_picture(client):
    expected = client.json("POST", "/predict", picture(), "image/png")
    assert client.json("POST", "/predict", *form(picture())) == expected


@pytest.mark.parametrize(
    ("content", "kind", "status", "error"),
    [
        (*form(picture(), "picture"), 422, "expected a picture in the field 'file' of the form"),
        (*form(b"hello"), 422, "that is not a picture: expected one of the formats PNG, "),
        (b"hello", "multipart/form-data", 400, "Missing boundary"),
        (b"hello", "multipart/form-data; boundary=limit", 400, "Invalid multipart data"),
        (form(picture())[0][:99], "multipart/form-data; boundary=limit", 422, "expected a pic"),
    ],
)
def test_other_forms_are_refused(client, content, kind, status, error):
    found, answer = client.json("POST", "/predict", content, kind)
    assert found == status
    assert answer["error"].startswith(error)


def test_images_may_be_called_inputs_as_mlflow_does(client):
    asked = json.dumps({"inputs": [IMAGE, IMAGE]})
    assert client.json("POST", "/predict", asked) == client.predict([IMAGE, IMAGE])
    status, answer = client.json("POST", "/predict", json.dumps({"inputs": [IMAGE[:5]]}))
    assert status == 422
    assert "found at inputs[0]: List should have at least 28" in answer["error"]


def test_health_readiness_and_model(client):
    assert client.json("GET", "/health") == (200, {"status": "ok"})
    assert client.json("GET", "/ready") == (200, {"status": "ready", "version": VERSION})
    status, model = client.json("GET", "/model")
    assert status == 200
    assert model["version"] == VERSION
    assert model["candidate"] == "mean_digits"
    assert model["test_accuracy_low"] == 0.75
    assert len(model["onnx_sha256"]) == 64
    assert {"test_accuracy", "test_accuracy_high", "data", "data_sha256"} < model.keys()
    assert model["classes"] == list(range(10))
    assert model["class_names"] == list("0123456789")


def test_the_page_can_load_nothing_from_elsewhere(client):
    status, headers, content = client.request("GET", "/")
    assert status == 200
    assert headers["Content-Type"].startswith("text/html")
    assert b"script-src 'self'; style-src 'self'" in content
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    for name in re.findall(rb'(?:href|src)="(/static/[^"]+)', content):
        assert client.request("GET", name.decode())[0] == 200


@pytest.mark.filterwarnings("ignore:open_binary")  # of the package with Swagger UI
def test_the_documentation_needs_no_network(client):
    page = client.request("GET", "/docs")[2].decode()
    addresses = re.findall(r'(?:src|href|url)\s*[=:]\s*["\']([^"\']+)', page)
    assert len(addresses) == 4
    assert {urlsplit(each).netloc for each in addresses} <= {"", f"127.0.0.1:{client.port}"}
    for address in addresses:
        assert client.request("GET", urlsplit(address).path)[0] == 200
    assert b"http" not in client.request("GET", "/openapi.json")[2]


def test_openapi_describes_pixels_pictures_answers_and_failures(client):
    _, openapi = client.json("GET", "/openapi.json")
    assert openapi["paths"].keys() == {"/predict", "/health", "/ready", "/model"}
    operation = openapi["paths"]["/predict"]["post"]
    content = operation["requestBody"]["content"]
    one, many = content["application/json"]["schema"]["properties"]["images"]["anyOf"]
    assert one["maxItems"] == one["items"]["maxItems"] == many["items"]["maxItems"] == 28
    assert content["image/*"]["schema"]["format"] == "binary"
    fields = content["multipart/form-data"]["schema"]
    assert fields["properties"]["file"] == content["image/*"]["schema"]
    assert operation["responses"].keys() == {"200", "400", "413", "415", "422", "503"}
    assert openapi["paths"]["/ready"]["get"]["responses"].keys() == {"200", "400", "503"}


def body(images):
    return json.dumps({"images": images})


def with_pixel(value):
    """The JSON of an image with something else for a pixel."""
    image = [*IMAGE[:2], [*IMAGE[2][:5], "HERE", *IMAGE[2][6:]], *IMAGE[3:]]
    return body(image).replace('"HERE"', value)


FAULTS = {
    **dict.fromkeys(["256", "9" * 400], "less than or equal to 255"),
    "-1": "greater than or equal to 0",
    **dict.fromkeys(
        ["0.5", "1.0", "NaN", "Infinity", "true", "null", '"7"', "[7]"], "valid integer"
    ),
}


@pytest.mark.parametrize(("pixel", "fault"), FAULTS.items())
def test_a_wrong_pixel_is_named(client, pixel, fault):
    status, answer = client.json("POST", "/predict", with_pixel(pixel))
    assert status == 422
    assert re.search(rf"found at images\[0\]\[2\]\[5\]: .*{fault}", answer["error"])


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        ("", "the top: Invalid JSON"),
        ("{", "the top: Invalid JSON"),
        (b"\xff\xfe", "the top: Invalid JSON"),
        ("[" * 1_000_000, "the top: Invalid JSON: recursion limit"),
        ("[]", "the top: Input should be an object"),
        ("{}", "images: Field required"),
        (body([]), "images: List should have at least 1"),
        (body("text"), "images: Input should be a valid"),
        (body(IMAGE[:27]), "images[0]: List should have at least 28"),
        (body([row[:27] for row in IMAGE]), "images[0][0]: List should have at least 28"),
        (body([*IMAGE, IMAGE[0]]), "images[0]: List should have at most 28"),
        (body([IMAGE, IMAGE[:27]]), "images[1]: List should have at least 28"),
        (body([IMAGE, 5]), "images[1]: Input should be a valid"),
        (body([[IMAGE]]), "images[0][0][0]: Input should be a valid"),
        (body([BLANK] * 1001), "images: List should have at most 1000"),
        (json.dumps({"images": IMAGE, "more": 1}), "more: Extra inputs"),
    ],
)
def test_other_json_is_refused(client, wrong, place):
    status, answer = client.json("POST", "/predict", wrong)
    assert status == 422
    assert answer.keys() == {"error"}
    assert f"found at {place}" in answer["error"]


def test_a_thousand_images_are_answered(client):
    status, answer = client.predict([BLANK] * 1000)
    assert status == 200
    assert len(answer["predictions"]) == 1000


def bomb(side=50_000):
    """A PNG of 2.5 gigapixels in few bytes."""

    def chunk(name, data):
        checksum = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + checksum

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(2**20)))
    return b"\x89PNG\r\n\x1a\n" + chunks + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "content",
    [
        bomb(),
        picture("JPEG")[:600],
        b'<svg xmlns="http://www.w3.org/2000/svg" width="28" height="28"/>',
        b"",
        bytes(1000),
    ],
    ids=["decompression bomb", "truncated", "SVG", "nothing", "zeros"],
)
def test_what_is_no_picture_is_refused_with_a_sentence(client, content):
    status, answer = client.json("POST", "/predict", content, "image/png")
    assert status == 422
    assert answer.keys() == {"error"}
    assert re.match("expected |that is not a picture: expected ", answer["error"])


@pytest.mark.parametrize(
    ("status", "method", "path"),
    [
        (404, "GET", "/no/such"),
        (405, "GET", "/predict"),
        (405, "DELETE", "/model"),
        (415, "POST", "/predict"),
        *((404, "GET", f"/static/{up}app.py") for up in ("../", "%2e%2e/", "..%2f", "..%5c")),
        *((404, "GET", f"/static/{path}") for path in ("/etc/passwd", "%2fetc%2fpasswd", "")),
        (404, "GET", "/static/index.html%00"),
        (404, "GET", f"/static/{'a' * 5000}"),
    ],
)
def test_other_requests_get_their_status_and_json(client, status, method, path):
    found, answer = client.json(method, path, "digit", "text/plain")
    assert found == status
    assert answer.keys() == {"error"}


LARGE = bytes(12 * 2**20 + 1)


@pytest.mark.parametrize(
    ("content", "kind"), [(LARGE, "application/json"), (LARGE, "image/png"), form(LARGE)]
)
def test_a_body_that_is_too_large_is_refused(client, content, kind):
    sentence = {"error": "expected a body of at most 12 MiB, found a larger one"}
    assert client.json("POST", "/predict", content, kind) == (413, sentence)
    in_chunks = iter([content[:1000], content[1000:]])  # of a length that is not told
    assert client.json("POST", "/predict", in_chunks, kind) == (413, sentence)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("localhost:8000", 200),
        ("[::1]:8000", 200),
        ("evil.example", 400),
        ("evil.example:8000", 400),
        ("127.0.0.1.evil", 400),
        ("", 400),
    ],
)
def test_only_who_addresses_this_machine_is_answered(client, host, status):
    found, headers, _ = client.request("GET", "/model", headers={"Host": host})
    assert found == status
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_a_bug_is_told_in_json_and_the_server_goes_on(client, monkeypatch):
    monkeypatch.setattr("mnist_kedro.serving.app.read_images", lambda _: 1 / 0)
    sentence = {"error": "the server failed at this request: its log says how"}
    assert client.predict(BLANK) == (500, sentence)
    monkeypatch.undo()
    assert client.predict(BLANK)[0] == 200
