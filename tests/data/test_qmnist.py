"""An extra test: small files like QMNIST's, like MNIST's, and pictures."""

import gzip
import hashlib

import numpy as np
import pytest
from PIL import Image

from mnist_kedro.data.dataset_spec import FILES
from mnist_kedro.data.qmnist import Qmnist, load_extra_test
from mnist_kedro.data.sources import embedded_digits
from mnist_kedro.formats.idx import INTEGER, IdxFormatError, idx_header
from mnist_kedro.parameters import UserError
from tests.drawings import STROKES, draw, on_paper

DIGITS = tuple("0123456789")
IMAGES, NUMBERS = "qmnist-test-images-idx3-ubyte", "qmnist-test-labels-idx2-int"
FIRST = 12  # images before are not taken
LAST_EIGHT = embedded_digits().test_labels[FIRST:20]


@pytest.fixture(scope="module")
def files():
    """Twenty digits as QMNIST has them: the label is the first of eight numbers."""
    images, labels = (array[:20] for array in embedded_digits()[2:])
    numbers = np.arange(160).reshape(20, 8) + 70_000
    numbers[:, 0] = labels
    packed = {
        f"{IMAGES}.gz": idx_header(images.shape) + images.tobytes(),
        f"{NUMBERS}.gz": idx_header((20, 8), INTEGER) + numbers.astype(">i4").tobytes(),
    }
    return {name: gzip.compress(data, mtime=0) for name, data in packed.items()}


@pytest.fixture
def load(files, tmp_path):
    """Function that loads an extra test."""

    def load(source, class_names=DIGITS, mirrors=()):
        images, numbers = (hashlib.sha256(data).hexdigest() for data in files.values())
        qmnist = Qmnist(
            name="QMNIST",
            first=FIRST,
            archive=None,
            mirrors=mirrors,
            files={"test_images": IMAGES, "test_numbers": NUMBERS},
            sha256={"test_images": images, "test_numbers": numbers},
        )
        return load_extra_test(str(source), qmnist, tmp_path / "cache", class_names)

    return load


@pytest.fixture
def folder(tmp_path, files):
    path = tmp_path / "mine"
    path.mkdir()
    for name, data in files.items():
        (path / name).write_bytes(data)
    return path


def assert_last_eight(test, name, labels=LAST_EIGHT):
    assert test.name == name
    np.testing.assert_array_equal(test.images, embedded_digits().test_images[FIRST:20])
    np.testing.assert_array_equal(test.labels, labels)
    assert test.labels.dtype == np.uint8


def test_qmnist_comes_from_a_mirror_and_is_kept(mirror, files, load):
    first = mirror(files=files)
    for _ in range(2):
        assert_last_eight(load("qmnist", mirrors=[first.url]), "QMNIST")
    assert first.downloads() == sorted(files)


def test_its_files_may_be_in_a_folder_and_are_known_by_their_checksums(folder, load):
    assert_last_eight(load(folder), "QMNIST")
    path = folder / f"{NUMBERS}.gz"
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()), 1))
    assert_last_eight(load(folder), "mine")


def test_labels_are_those_of_the_data_set(folder, load):
    assert_last_eight(load(folder, DIGITS[::-1]), "QMNIST", 9 - LAST_EIGHT)
    with pytest.raises(
        UserError, match="expected QMNIST's digits among the classes, a, b, found no "
    ):
        load(folder, ("a", "b"))


def test_files_like_mnists(tmp_path, load, tiny_arrays, write_idx_folder):
    folder = write_idx_folder(tmp_path / "theirs", tiny_arrays)
    test = load(folder)
    np.testing.assert_array_equal(test.images, tiny_arrays.test_images)
    np.testing.assert_array_equal(test.labels, tiny_arrays.test_labels)
    assert test.name == "theirs"
    with pytest.raises(IdxFormatError, match="expected labels from 0 to 4 in theirs, found 9"):
        load(folder, DIGITS[:5])
    write_idx_folder(folder, tiny_arrays._replace(test_labels=tiny_arrays.test_labels[1:]))
    with pytest.raises(IdxFormatError, match="of theirs, found 19 labels and 20 images"):
        load(folder)
    (folder / f"{FILES['test_images']}.gz").unlink()
    with pytest.raises(UserError, match=f"expected the file {FILES['test_images']}"):
        load(folder)


def test_pictures(tmp_path, load):
    (tmp_path / "mine/test/7").mkdir(parents=True)
    Image.fromarray(on_paper(draw(STROKES[7])).astype(np.uint8)).save(
        tmp_path / "mine/test/7/a.png"
    )
    test = load(tmp_path / "mine")
    assert (test.name, test.labels.tolist(), test.images.shape) == ("mine", [7], (1, 28, 28))


def test_a_missing_folder_is_an_error(load):
    with pytest.raises(UserError, match="'extra_test' to be qmnist or a folder, found 'x'"):
        load("x")


def test_the_checksum_is_of_images_and_labels(folder, load):
    test = load(folder)
    assert test._replace(images=test.images[::-1]).sha256() != test.sha256()
    assert test._replace(labels=test.labels[::-1]).sha256() != test.sha256()
    assert test._replace(name="other").sha256() == test.sha256()
