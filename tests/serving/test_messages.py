import json

import numpy as np
import pytest

from mnist_kedro.serving.champion import open_champion
from mnist_kedro.serving.messages import (
    Answer,
    MessageError,
    Model,
    describe_body,
    read_images,
    write_answer,
)
from tests.serving.mean_digits import make_manifest, make_model, mean_images

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 28, 28), dtype=np.uint8)
IMAGE = IMAGES[0].tolist()


@pytest.fixture(scope="module")
def champion():
    model = make_model(mean_images())
    return open_champion("v", model, make_manifest(model, classes=list(range(10, 20))))


def body(images):
    return json.dumps({"images": images}).encode()


def with_pixel(value):
    """The JSON of an image with something else for a pixel."""
    image = [*IMAGE[:2], [*IMAGE[2][:5], "HERE", *IMAGE[2][6:]], *IMAGE[3:]]
    return body(image).replace(b'"HERE"', value)


@pytest.mark.parametrize("indent", [None, 1])
def test_one_image_is_a_batch_of_one(indent):
    images = read_images(json.dumps({"images": IMAGE}, indent=indent).encode())
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(images, IMAGES[:1])


@pytest.mark.parametrize("indent", [None, 1])
def test_many_images_stay_in_order(indent):
    images = read_images(json.dumps({"images": IMAGES.tolist()}, indent=indent).encode())
    np.testing.assert_array_equal(images, IMAGES)


@pytest.mark.parametrize(
    ("pixel", "fault"),
    [
        (b"256", "less than or equal to 255"),
        (b"-1", "greater than or equal to 0"),
        (b"0.5", "a valid integer"),
        (b"1.0", "a valid integer"),
        (b"1e300", "a valid integer"),
        (b"NaN", "a valid integer"),
        (b"Infinity", "a valid integer"),
        (b"true", "a valid integer"),
        (b"null", "a valid integer"),
        (b'"7"', "a valid integer"),
        (b"[7]", "a valid integer"),
        (b"9" * 400, "less than or equal to 255"),
    ],
)
def test_a_wrong_pixel_is_named(pixel, fault):
    with pytest.raises(MessageError, match=rf"found at images\[2\]\[5\]: .*{fault}"):
        read_images(with_pixel(pixel))


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        (b"", "the top: Invalid JSON"),
        (b"{", "the top: Invalid JSON"),
        (b"\xff\xfe", "the top: Invalid JSON"),
        (b"[" * 100_000, "the top: Invalid JSON: recursion limit"),
        (b'{"images":' * 100_000, "the top: Invalid JSON: recursion limit"),
        (b"[]", "the top: Input should be an object"),
        (b"{}", "images: Field required"),
        (body([]), "images: List should have at least 28"),
        (body("text"), "images: Input should be a valid"),
        (body(IMAGE[:27]), "images: List should have at least 28"),
        (body([row[:27] for row in IMAGE]), r"images\[0\]: List should have at least 28"),
        (body([*IMAGE, IMAGE[0]]), "images: List should have at most 28"),
        (body([IMAGE, IMAGE[:27]]), r"images\[1\]: List should have at least 28"),
        (body([IMAGE, 5]), r"images\[1\]: Input should be a valid"),
        (body([[IMAGE]]), r"images\[0\]\[0\]\[0\]: Input should be a valid"),
        (json.dumps({"images": IMAGE, "more": 1}).encode(), "more: Extra inputs"),
    ],
)
def test_other_bodies_are_refused(wrong, place):
    with pytest.raises(MessageError, match=f"found at {place}"):
        read_images(wrong)


def test_a_thousand_images_are_the_limit():
    image = np.zeros((28, 28), int).tolist()
    assert len(read_images(body([image] * 1000))) == 1000
    with pytest.raises(MessageError, match="at most 1000 items"):
        read_images(body([image] * 1001))


def test_an_answer_has_what_openapi_says(champion):
    probabilities = np.float32([[0.1] * 9 + [0.2], [0.6] + [0.4 / 9] * 9])
    answer = Answer.model_validate_json(write_answer(champion, probabilities), strict=True)
    assert [each.label for each in answer.predictions] == [19, 10]
    assert [each.confidence for each in answer.predictions] == pytest.approx([0.2, 0.6])
    assert answer.predictions[0].probabilities == pytest.approx(probabilities[0])
    assert [each.warning for each in answer.predictions] == [None, None]
    assert answer.classes == list(range(10, 20))
    assert answer.version == "v"
    assert "seen" not in json.loads(write_answer(champion, probabilities))["predictions"][0]


def test_of_a_picture_more_is_told(champion):
    probabilities = np.full((1, 10), 0.1, np.float32)
    answer = write_answer(champion, probabilities, warning="too small", seen=IMAGE)
    (prediction,) = Answer.model_validate_json(answer).predictions
    assert prediction.warning == "too small"
    assert prediction.seen == IMAGE


def test_a_model_is_described_by_its_manifest(champion):
    model = Model.of(champion).model_dump()
    assert model["onnx_sha256"] == champion.manifest.onnx.sha256
    assert model["version"] == "v"
    assert model["candidate"] == "mean_digits"
    assert model["test_accuracy_low"] == 0.75


def test_the_examples_of_openapi_can_be_read():
    pixels = describe_body()["requestBody"]["content"]["application/json"]
    for example in pixels["examples"].values():
        assert read_images(json.dumps(example["value"]).encode()).max() == 255
