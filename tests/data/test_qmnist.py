"""An extra test: small files like QMNIST's, like MNIST's, and pictures."""

import gzip
import hashlib

import numpy as np
import pytest
from PIL import Image

from mnist_kedro.data.descriptions import FILES
from mnist_kedro.data.extra_test import Qmnist, load_extra_test
from mnist_kedro.data.mirrors import DownloadError
from mnist_kedro.data.sources import embedded_digits
from mnist_kedro.formats.idx import INTEGER, IdxFormatError, idx_header
from tests.drawings import STROKES, draw, on_paper

DIGITS = tuple("0123456789")
IMAGES, NUMBERS = "qmnist-test-images-idx3-ubyte", "qmnist-test-labels-idx2-int"
FIRST = 12  # images before are not taken


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
def qmnist(files):
    """Function that describes these files, at mirrors."""

    def qmnist(*mirrors):
        sha256 = [hashlib.sha256(data).hexdigest() for data in files.values()]
        return Qmnist(
            name="QMNIST",
            first=FIRST,
            archive=None,
            mirrors=mirrors,
            files={"test_images": IMAGES, "test_numbers": NUMBERS},
            sha256=dict(zip(("test_images", "test_numbers"), sha256, strict=True)),
        )

    return qmnist


@pytest.fixture
def folder(tmp_path, files):
    path = tmp_path / "mine"
    path.mkdir()
    for name, data in files.items():
        (path / name).write_bytes(data)
    return path


LAST_EIGHT = embedded_digits().test_labels[FIRST:20]


def assert_last_eight(test, name, labels=LAST_EIGHT):
    assert test.name == name
    np.testing.assert_array_equal(test.images, embedded_digits().test_images[FIRST:20])
    np.testing.assert_array_equal(test.labels, labels)
    assert test.labels.dtype == np.uint8


def test_qmnist_comes_from_a_mirror_and_is_kept(mirror, files, qmnist, tmp_path):
    first = mirror(files=files)
    for _ in range(2):
        test = load_extra_test("qmnist", qmnist(first.url), tmp_path / "cache", DIGITS)
        assert_last_eight(test, "QMNIST")
    assert first.downloads() == sorted(files)


def test_without_a_network_a_sentence_says_which_files_to_put_where(qmnist, tmp_path):
    with pytest.raises(DownloadError) as caught:
        load_extra_test("qmnist", qmnist("http://127.0.0.1:9/"), tmp_path, DIGITS)
    assert str(caught.value) == (
        f"none of 1 mirrors of QMNIST answered (http://127.0.0.1:9/): check the network, or put "
        f"{IMAGES}.gz, {NUMBERS}.gz into a folder and add --params "
        f"final_training.extra_test=<folder>"
    )


def test_its_files_may_lie_in_a_folder_and_are_known_by_their_checksums(folder, qmnist, tmp_path):
    assert_last_eight(load_extra_test(str(folder), qmnist(), tmp_path, DIGITS), "QMNIST")
    path = folder / f"{NUMBERS}.gz"
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()), 1))
    assert_last_eight(load_extra_test(str(folder), qmnist(), tmp_path, DIGITS), "mine")


def test_labels_are_those_of_the_data_set(folder, qmnist, tmp_path):
    turned = DIGITS[::-1]
    test = load_extra_test(str(folder), qmnist(), tmp_path, turned)
    assert_last_eight(test, "QMNIST", 9 - LAST_EIGHT)
    with pytest.raises(ValueError, match="digits of QMNIST among the classes, a, b, found no "):
        load_extra_test(str(folder), qmnist(), tmp_path, ("a", "b"))


def test_files_like_mnists(tmp_path, qmnist, tiny_arrays, write_idx_folder):
    folder = write_idx_folder(tmp_path / "theirs", tiny_arrays)
    test = load_extra_test(str(folder), qmnist(), tmp_path, DIGITS)
    np.testing.assert_array_equal(test.images, tiny_arrays.test_images)
    np.testing.assert_array_equal(test.labels, tiny_arrays.test_labels)
    assert test.name == "theirs"
    with pytest.raises(IdxFormatError, match="expected labels from 0 to 4 in theirs, found 9"):
        load_extra_test(str(folder), qmnist(), tmp_path, DIGITS[:5])
    write_idx_folder(folder, tiny_arrays._replace(test_labels=tiny_arrays.test_labels[1:]))
    with pytest.raises(IdxFormatError, match="of theirs, found 19 labels and 20 images"):
        load_extra_test(str(folder), qmnist(), tmp_path, DIGITS)
    (folder / f"{FILES['test_images']}.gz").unlink()
    with pytest.raises(FileNotFoundError, match=f"expected the file {FILES['test_images']}"):
        load_extra_test(str(folder), qmnist(), tmp_path, DIGITS)


def test_pictures(tmp_path, qmnist):
    (tmp_path / "mine/test/7").mkdir(parents=True)
    ink = on_paper(draw(STROKES[7])).astype(np.uint8)
    Image.fromarray(ink).save(tmp_path / "mine/test/7/a.png")
    test = load_extra_test(str(tmp_path / "mine"), qmnist(), tmp_path, DIGITS)
    assert (test.name, test.labels.tolist(), test.images.shape) == ("mine", [7], (1, 28, 28))


def test_what_is_not_there_is_an_error(qmnist, tmp_path):
    with pytest.raises(FileNotFoundError, match="'extra_test' to be qmnist or a folder, found 'x'"):
        load_extra_test("x", qmnist(), tmp_path, DIGITS)


def test_the_checksum_is_of_images_and_labels(folder, qmnist, tmp_path):
    test = load_extra_test(str(folder), qmnist(), tmp_path, DIGITS)
    others = [
        test._replace(images=test.images[::-1]),
        test._replace(labels=test.labels[::-1]),
        test._replace(name="other"),
    ]
    assert [other.sha256() == test.sha256() for other in others] == [False, False, True]
