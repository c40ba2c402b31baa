"""What the real server answers to those who mean well."""

import re
from urllib.parse import urlsplit

import numpy as np
import pytest
from playwright.sync_api import expect

from docs import pages
from mnist_kedro.data.sources import embedded_digits
from tests.serving.mean_digits import VERSION, picture


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
    assert prediction["name"] == str(labels[0])
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
        "class_names",
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


@pytest.mark.slow
@pytest.mark.skipif(pages.CHROMIUM is None, reason="Chromium is not installed")
def test_the_documentation_tries_out_pixels_and_pictures(server, tmp_path):
    (tmp_path / "digit.png").write_bytes(picture())
    complaints = []
    with pages.chromium_page() as page:
        page.on("console", lambda message: complaints.append(message.text))
        page.goto(f"http://127.0.0.1:{server.port}/docs")
        page.locator(".opblock-post .opblock-summary").click()
        page.get_by_text("Try it out").click()
        answer = page.locator(".live-responses-table").first
        page.get_by_role("button", name="Execute").click()
        expect(answer).to_contain_text("predictions", timeout=pages.PATIENCE)
        page.get_by_label("Request content type").select_option("image/*")
        page.locator("input[type=file]").set_input_files(tmp_path / "digit.png")
        page.get_by_role("button", name="Execute").click()
        expect(answer).to_contain_text("seen", timeout=pages.PATIENCE)
    assert complaints == []
