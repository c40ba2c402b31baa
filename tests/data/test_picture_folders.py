"""Folders of somebody's own pictures: images in MNIST's format, whose classes the folders name."""

import logging

import numpy as np
import pytest
from PIL import Image

from mnist_kedro.data import labelled_pictures
from mnist_kedro.data.labelled_pictures import class_folders, has_pictures, load_pictures
from mnist_kedro.images.imaging import to_mnist_format
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


def test_a_folder_of_pictures_is_told_from_one_of_files(folder):
    assert has_pictures(folder)
    assert not has_pictures(folder / "train")
    assert not has_pictures(folder / "nowhere")


def test_pictures_are_brought_to_the_format_class_by_class(folder):
    names = class_folders(folder)
    assert names == ["five", "seven"]
    images, labels, test_images, test_labels = load_pictures(folder, names)
    np.testing.assert_array_equal(images, np.concatenate([seen(5, PENS), seen(7, PENS)]))
    assert labels.tolist() == [0] * 5 + [1] * 5
    np.testing.assert_array_equal(test_images, np.concatenate([seen(5, [9, 11]), seen(7, [9])]))
    assert test_labels.tolist() == [0, 0, 1]
    assert {array.dtype for array in (images, labels)} == {np.dtype(np.uint8)}


def test_labels_are_places_in_the_names(folder):
    names = ["one", "seven", "two", "five"]
    assert load_pictures(folder, names).train_labels.tolist() == [3] * 5 + [1] * 5


def test_pictures_that_cannot_be_read_are_named_and_left_out(folder, caplog, monkeypatch):
    monkeypatch.setattr(labelled_pictures, "NAMED", 2)
    for name in ("a.txt", "b.png", "c.png"):
        (folder / "train/five" / name).write_text("no picture")
    Image.new("L", (40, 40), 255).save(folder / "train/seven/d.png")
    arrays = load_pictures(folder, class_folders(folder))
    assert len(arrays.train_labels) == 10
    first, second, rest = caplog.messages
    assert first.startswith(f"Left out {folder}/train/five/a.txt: expected a picture")
    assert second.startswith(f"Left out {folder}/train/five/b.png: ")
    assert rest == "The same goes for 2 more pictures."


def test_pictures_that_were_read_in_part_are_named(folder, caplog):
    both = np.concatenate([grey(5, 8), grey(7, 8)], axis=1)
    Image.fromarray(both).save(folder / "train/five/both.png")
    assert len(load_pictures(folder, class_folders(folder)).train_labels) == 11
    (sentence,) = caplog.messages
    assert sentence.startswith(f"Doubtful: {folder}/train/five/both.png: several digits")


def test_numbers_are_in_the_order_of_numbers(tmp_path):
    for name in ("10", "9", "2"):
        (tmp_path / "train" / name).mkdir(parents=True)
    assert class_folders(tmp_path) == ["2", "9", "10"]


def test_names_that_cannot_be_printed_are_refused(tmp_path):
    for name in ("good", "b\udce4d"):
        (tmp_path / "train" / name).mkdir(parents=True)
    with pytest.raises(ValueError, match="expected names that can be printed, found"):
        class_folders(tmp_path)


def test_a_class_without_a_readable_picture_is_an_error(folder):
    (folder / "train/nine").mkdir()
    (folder / "train/nine/a.png").write_text("no picture")
    with pytest.raises(ValueError, match="train/nine: expected pictures, found none .* among 1"):
        load_pictures(folder, ["five", "nine", "seven"])


def test_without_a_test_a_fifth_of_each_class_is_kept_for_it(tmp_path, caplog):
    save(tmp_path / "train/5", 5, range(5, 15))
    save(tmp_path / "train/7", 7)
    with caplog.at_level(logging.WARNING):
        arrays = load_pictures(tmp_path, ["5", "7"])
    assert np.bincount(arrays.train_labels).tolist() == [8, 4]
    assert np.bincount(arrays.test_labels).tolist() == [2, 1]
    images = np.concatenate([arrays.train_images, arrays.test_images])
    assert len(np.unique(images, axis=0)) == 15
    (warning,) = caplog.messages
    assert "HAS NO FOLDER 'test': 3 of its 15 pictures, a fifth of each class, are kept" in warning
    again = load_pictures(tmp_path, ["5", "7"])
    np.testing.assert_array_equal(again.test_images, arrays.test_images)


def test_too_few_to_keep_a_fifth_of_are_an_error(tmp_path):
    save(tmp_path / "train/5", 5)
    save(tmp_path / "train/7", 7, PENS[:4])
    with pytest.raises(ValueError, match="'test', or 5 pictures .* found a class of 4"):
        load_pictures(tmp_path, ["5", "7"])


def test_folders_that_name_no_classes_are_refused(folder):
    (folder / "train/.hidden").mkdir()
    (folder / "train/notes.txt").write_text("")
    assert class_folders(folder) == ["five", "seven"]
    (folder / "test/six").mkdir()
    with pytest.raises(ValueError, match="test: expected a folder for each .* differences: six"):
        class_folders(folder)
    for path in (folder / "train/five").iterdir():
        path.unlink()
    (folder / "train/five").rmdir()
    with pytest.raises(ValueError, match="train: expected 2 to 256 folders, .* found 1"):
        class_folders(folder)
