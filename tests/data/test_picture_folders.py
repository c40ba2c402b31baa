"""Folders of somebody's own pictures: images in MNIST's format, whose classes the folders name."""

import numpy as np
import pytest
from PIL import Image

from mnist_kedro.data import picture_folders
from mnist_kedro.data.picture_folders import load_pictures, read_pictures
from mnist_kedro.images.normalization import to_mnist_format
from mnist_kedro.parameters import UserError
from tests.drawings import STROKES, draw, on_paper

PENS = (6, 8, 10, 12, 14)  # a picture with each


def grey(digit, pen):
    return on_paper(draw(STROKES[digit], pen=pen)).astype(np.uint8)


def save(folder, digit, pens=PENS):
    folder.mkdir(parents=True, exist_ok=True)
    for pen in pens:
        Image.fromarray(grey(digit, pen)).save(folder / f"{pen:02}.png")


@pytest.fixture
def folder(tmp_path):
    """Pictures of fives and of sevens, to train and to test with."""
    save(tmp_path / "train/seven", 7)
    save(tmp_path / "train/five", 5)
    save(tmp_path / "test/seven", 7, [9])
    save(tmp_path / "test/five", 5, [9, 11])
    return tmp_path


def seen(digit, pens):
    return np.stack([to_mnist_format(grey(digit, pen)).image for pen in pens])


def test_pictures_are_brought_to_the_format_class_by_class(folder):
    (folder / "train/.hidden").mkdir()
    (folder / "train/notes.txt").write_text("")
    (images, labels, test_images, test_labels), names = load_pictures(folder)
    assert names == ("five", "seven")
    np.testing.assert_array_equal(images, np.concatenate([seen(5, PENS), seen(7, PENS)]))
    assert labels.tolist() == [0] * 5 + [1] * 5
    np.testing.assert_array_equal(test_images, np.concatenate([seen(5, [9, 11]), seen(7, [9])]))
    assert test_labels.tolist() == [0, 0, 1]
    assert {array.dtype for array in (images, labels)} == {np.dtype(np.uint8)}


def test_labels_are_places_in_the_names(folder):
    _, labels = read_pictures(folder / "train", ["one", "seven", "two", "five"])
    assert labels.tolist() == [3] * 5 + [1] * 5


def test_pictures_that_cannot_be_read_are_named_and_left_out(folder, caplog, monkeypatch):
    monkeypatch.setattr(picture_folders, "MAX_WARNINGS", 2)
    both = np.concatenate([grey(5, 8), grey(7, 8)], axis=1)
    Image.fromarray(both).save(folder / "train/five/a.png")
    for name in ("b.txt", "c.png"):
        (folder / "train/five" / name).write_text("no picture")
    Image.new("L", (40, 40), 255).save(folder / "train/seven/d.png")
    arrays, _ = load_pictures(folder)
    assert len(arrays.train_labels) == 11
    first, second, rest = sorted(caplog.messages)
    assert first.startswith(f"Doubtful: {folder}/train/five/a.png: several digits")
    assert second.startswith(f"Left out {folder}/train/five/b.txt: that is not a picture")
    assert rest == "The same goes for 2 more pictures."


def test_without_a_test_a_fifth_of_each_class_becomes_the_test_set(tmp_path, caplog):
    save(tmp_path / "train/10", 5, range(5, 15))
    save(tmp_path / "train/7", 7)
    arrays, names = load_pictures(tmp_path)
    assert names == ("7", "10")  # in the order of numbers
    assert np.bincount(arrays.train_labels).tolist() == [4, 8]
    assert np.bincount(arrays.test_labels).tolist() == [1, 2]
    images = np.concatenate([arrays.train_images, arrays.test_images])
    assert len(np.unique(images, axis=0)) == 15
    (warning,) = caplog.messages
    assert "HAS NO FOLDER 'test': 3 of its 15 pictures, a fifth of each class, become" in warning
    again, _ = load_pictures(tmp_path)
    np.testing.assert_array_equal(again.test_images, arrays.test_images)
    (tmp_path / "train/7/06.png").unlink()
    with pytest.raises(UserError, match="'test', or at least 5 pictures .* found a class of 4"):
        load_pictures(tmp_path)


def test_folders_that_name_no_classes_are_refused(folder):
    (folder / "test/six").mkdir()
    with pytest.raises(UserError, match="test: expected a folder for each .* differences: six"):
        load_pictures(folder)
    with pytest.raises(UserError, match="named as classes, five, found five, seven"):
        read_pictures(folder / "train", ["five"])
    with pytest.raises(UserError, match="named as classes, five, found none"):
        read_pictures(folder / "nowhere", ["five"])
    (folder / "train/nine").mkdir()
    (folder / "train/nine/a.png").write_text("no picture")
    with pytest.raises(UserError, match="train/nine: expected pictures, found none .* among 1"):
        read_pictures(folder / "train", ["five", "nine", "seven"])
    (folder / "one/train/one").mkdir(parents=True)
    with pytest.raises(UserError, match="train: expected 2 to 256 folders, .* found 1"):
        load_pictures(folder / "one")
