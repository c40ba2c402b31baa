"""Digits of MNIST are read as people would photograph them, and as they are."""

import io
from pathlib import Path

import numpy as np
import pytest
import yaml

from benchmarks.data import load_mnist
from mnist_kedro.classifiers.build import Candidate, build_classifier
from mnist_kedro.data.sources import embedded_digits
from mnist_kedro.formats.pictures import decode_picture
from mnist_kedro.images.normalization import read_picture, to_mnist_format
from tests.photographs import photograph

SHOWN = 120  # photographs
KEPT = 500  # images
FITTED = 4_000  # images


@pytest.fixture(scope="module")
def mnist(real_mnist):
    return load_mnist(real_mnist)


def test_the_same_seed_gives_the_same_file_and_another_seed_another():
    digits = embedded_digits()
    digit, label = digits.test_images[0], digits.test_labels[0]
    first, again, other = (photograph(digit, label, seed) for seed in (1, 1, 2))
    assert first == again
    assert first.data != other.data
    assert first.label == label
    assert min(decode_picture(io.BytesIO(first.data)).shape) >= 140


@pytest.mark.slow
def test_images_of_mnist_stay_what_they_are(mnist):
    for image in mnist.test_images[:KEPT]:
        for shown in (image, 255 - image):
            seen = to_mnist_format(shown)
            assert seen.warning is None
            np.testing.assert_array_equal(seen.image, image)


@pytest.mark.slow
def test_a_small_model_reads_photographs(mnist):
    path = Path(__file__).parents[1] / "conf" / "base" / "parameters_model_training.yml"
    cnn = yaml.safe_load(path.read_text())["candidates"]["cnn"]
    model = build_classifier(Candidate.model_validate(cnn), seed=0)
    model.fit(mnist.train_images[:FITTED], mnist.train_labels[:FITTED])
    pictures = [
        photograph(digit, label, seed)
        for seed, (digit, label) in enumerate(
            zip(mnist.test_images[:SHOWN], mnist.test_labels, strict=False)
        )
    ]
    seen = [read_picture(io.BytesIO(picture.data)) for picture in pictures]
    labels = np.array([picture.label for picture in pictures])
    right = model.predict(np.stack([one.image for one in seen])) == labels
    assert right.mean() >= 0.94
    assert sum(one.warning is not None for one in seen) <= 2
