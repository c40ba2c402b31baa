"""Folders and embedded digits: four verified arrays, or an error that says why not."""

import hashlib

import numpy as np
import pytest
from sklearn.datasets import load_digits

from mnist_kedro.data.dataset_spec import FILES
from mnist_kedro.data.sources import Arrays, embedded_digits, load_folder
from mnist_kedro.formats.idx import IdxFormatError
from mnist_kedro.parameters import UserError

NAMES = {key: f"{name}.gz" for key, name in FILES.items()}


def assert_same(found, expected):
    for key in FILES:
        np.testing.assert_array_equal(getattr(found, key), getattr(expected, key), err_msg=key)


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("infix", ["-idx", ".idx"])
def test_load_folder(tmp_path, describe, tiny_arrays, write_idx_folder, infix, suffix):
    folder = write_idx_folder(tmp_path, tiny_arrays, infix, suffix)
    arrays, official = load_folder(folder, describe())
    assert_same(arrays, tiny_arrays)
    assert official


def test_a_missing_folder_or_file_is_an_error(tmp_path, describe, tiny_arrays, write_idx_folder):
    with pytest.raises(UserError, match=r"'source' .*nowhere"):
        load_folder(tmp_path / "nowhere", describe())
    write_idx_folder(tmp_path, tiny_arrays)
    (tmp_path / NAMES["test_labels"]).unlink()
    with pytest.raises(UserError, match=rf"{tmp_path}: .* {FILES['test_labels']} "):
        load_folder(tmp_path, describe())


# Part of the file, what is done to it, and what the error says was found.
SPOILT = {
    "fewer labels": ("labels", lambda labels: labels[:-1], "9 labels"),
    "label 10": ("labels", lambda labels: np.where(labels == 3, 10, labels), "10"),
    "a class without an image": ("labels", lambda labels: np.where(labels == 3, 2, labels), "2, 4"),
    "inverted": ("images", lambda images: 255 - images // 2, "from 128 to 255"),
    "scaled to 0-1": ("images", lambda images: images // 255, "from 0 to 1"),
    "other size": ("images", lambda images: images[:, :27], "27, 28"),
}


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize(("part", "spoil", "found"), SPOILT.values(), ids=SPOILT)
def test_files_that_cannot_be_right_are_refused(
    tmp_path, describe, tiny_arrays, write_idx_folder, split, part, spoil, found
):
    key = f"{split}_{part}"
    spoilt = spoil(getattr(tiny_arrays, key)).astype(np.uint8)
    write_idx_folder(tmp_path, tiny_arrays._replace(**{key: spoilt}))
    with pytest.raises(IdxFormatError, match=rf"expected .* found .*{found}") as caught:
        load_folder(tmp_path, describe())
    assert FILES[key] in str(caught.value)


# --- embedded digits


@pytest.fixture(scope="module")
def embedded():
    return embedded_digits()


def test_embedded_digits_have_the_format_of_mnist(embedded):
    assert [array.shape for array in embedded] == [(1437, 28, 28), (1437,), (360, 28, 28), (360,)]
    assert {array.dtype for array in embedded} == {np.dtype(np.uint8)}
    labels = np.concatenate([embedded.train_labels, embedded.test_labels])
    np.testing.assert_array_equal(labels, load_digits().target)


# --- other data sets in the same format


@pytest.fixture(scope="module")
def letters(tiny_arrays):
    """The tiny arrays as EMNIST has its letters: labels from 1 on, rows and columns exchanged."""
    images, labels, test_images, test_labels = tiny_arrays
    return Arrays(
        images.transpose(0, 2, 1), labels + 1, test_images.transpose(0, 2, 1), test_labels + 1
    )


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_labels_count_from_0_and_images_stand_upright(
    tmp_path, describe, tiny_arrays, letters, write_idx_folder, suffix
):
    folder = write_idx_folder(tmp_path, letters, suffix=suffix)
    arrays, _ = load_folder(folder, describe(first_label=1, transposed=True))
    assert_same(arrays, tiny_arrays)
    assert {array.dtype for array in arrays} == {np.dtype(np.uint8)}
    assert all(array.flags.c_contiguous for array in arrays)


def test_files_have_the_names_of_the_spec(tmp_path, describe, tiny_arrays, write_idx_folder):
    write_idx_folder(tmp_path, tiny_arrays)
    (tmp_path / NAMES["test_images"]).rename(tmp_path / "letters-test-images.gz")
    described = describe(files={"test_images": "letters-test-images"})
    assert_same(load_folder(tmp_path, described)[0], tiny_arrays)


def test_files_are_known_by_the_checksum_of_either_form(
    tmp_path, describe, tiny_arrays, tiny_sha256, write_idx_folder
):
    key = "train_labels"
    write_idx_folder(tmp_path, tiny_arrays)
    packed = hashlib.sha256((tmp_path / NAMES[key]).read_bytes()).hexdigest()
    for sha256, known in [(packed, True), (tiny_sha256[key], True), ("0" * 64, False)]:
        described = describe(sha256=tiny_sha256 | {key: sha256})
        assert load_folder(tmp_path, described)[1] is known


def test_a_spec_has_different_classes_and_a_checksum_for_each_file(describe, tiny_sha256):
    with pytest.raises(
        ValueError, match="a checksum in 'sha256' for each of train_images, .* found "
    ):
        describe(sha256={key: tiny_sha256[key] for key in FILES if key != "test_labels"})
    with pytest.raises(ValueError, match="different names in 'class_names', found "):
        describe(class_names=tuple("abcbc"))
