"""Stage 1: which source, under which name, and what the profile says of it."""

import hashlib
import json
import socket
import time
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from mnist_kedro.data.dataset_spec import FILES
from mnist_kedro.data.mirrors import DownloadError
from mnist_kedro.data.sources import Arrays
from mnist_kedro.formats.idx import IdxFormatError, idx_header
from mnist_kedro.parameters import UserError
from mnist_kedro.pipelines.data_ingestion.nodes import (
    SAMPLES_PER_CLASS,
    DataIngestionParameters,
    draw_sample_grid,
    ingest_images,
    profile_images,
)
from tests.drawings import STROKES, draw, on_paper

CONFIGURATION = Path(__file__).parents[3] / "conf/base/parameters_data_ingestion.yml"
UNREACHABLE = "http://127.0.0.1:9/"
PROFILE = {"name": "Some digits", "class_names": list("abcdefghij")}
EMBEDDED = "embedded digits (not MNIST)"


@pytest.fixture
def ingest(tmp_path, describe, tiny_sha256, monkeypatch):
    """Function that ingests a source, and returns the arrays and the profile."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")

    def ingest(
        source,
        mirrors=(UNREACHABLE,),
        sha256=tiny_sha256,
        fallback="embedded",
        extra_train_folder=None,
        **changes,
    ):
        parameters = DataIngestionParameters.model_validate(
            describe(mirrors, sha256=sha256, **changes).model_dump()
            | {
                "source": str(source),
                "fallback": fallback,
                "extra_train_folder": extra_train_folder,
            }
            | {"cache": tmp_path / "cache"}
        )
        *arrays, profile = ingest_images(parameters)
        return Arrays(*arrays), profile

    return ingest


def assert_same(found, expected):
    for key in FILES:
        np.testing.assert_array_equal(getattr(found, key), getattr(expected, key), err_msg=key)


def test_folder_with_the_official_bytes_is_named_so(
    tmp_path, ingest, tiny_arrays, write_idx_folder
):
    folder = write_idx_folder(tmp_path / "mine", tiny_arrays)
    arrays, profile = ingest(folder)
    assert_same(arrays, tiny_arrays)
    assert profile["name"] == "MNIST"
    assert profile["source"] == str(folder.resolve())
    assert not (tmp_path / "cache").exists()


def test_folder_with_other_bytes_has_its_own_name(
    tmp_path, ingest, tiny_arrays, write_idx_folder, monkeypatch
):
    other = tiny_arrays._replace(test_labels=tiny_arrays.test_labels[::-1])
    folder = write_idx_folder(tmp_path / "mine", other)
    monkeypatch.chdir(folder)
    for source in (folder, ".", "../mine/"):
        arrays, profile = ingest(source)
        assert_same(arrays, other)
        assert (profile["name"], profile["source"]) == ("mine (not MNIST)", str(folder.resolve()))


def test_bad_folder_does_not_fall_back(tmp_path, ingest, tiny_arrays, write_idx_folder):
    with pytest.raises(UserError, match="nowhere"):
        ingest("nowhere")
    folder = write_idx_folder(tmp_path / "mine", tiny_arrays)
    (folder / f"{FILES['test_labels']}.gz").write_bytes(b"")
    with pytest.raises(IdxFormatError, match=FILES["test_labels"]):
        ingest(folder)


def test_embedded(tmp_path, ingest):
    arrays, profile = ingest("embedded")
    assert [len(array) for array in arrays] == [1437, 1437, 360, 360]
    assert (profile["name"], profile["source"]) == (EMBEDDED, "embedded")
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("source", ["auto", "mnist"])
def test_downloads(tmp_path, ingest, tiny_arrays, write_idx_folder, source):
    write_idx_folder(tmp_path / "cache", tiny_arrays)  # as a mirror would have given them
    arrays, profile = ingest(source)
    assert_same(arrays, tiny_arrays)
    assert (profile["name"], profile["source"]) == ("MNIST", "mirror")


def test_mnist_does_not_fall_back(ingest):
    with pytest.raises(DownloadError, match=UNREACHABLE):
        ingest("mnist")


@pytest.mark.slow  # waits for an answer
def test_auto_falls_back_with_a_warning_within_15_seconds(ingest, caplog):
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        mirrors = [f"http://127.0.0.1:{deaf.getsockname()[1]}/"] * 3
        started = time.monotonic()
        arrays, profile = ingest("auto", [UNREACHABLE, *mirrors])
        assert time.monotonic() - started < 15
    assert len(arrays.train_images) == 1437
    assert (profile["name"], profile["source"]) == (EMBEDDED, "embedded")
    (warning,) = caplog.messages
    assert "THIS IS NOT MNIST" in warning
    assert all(url in warning for url in (UNREACHABLE, *mirrors))


def test_auto_falls_back_at_once_when_nobody_listens(ingest):
    _, profile = ingest("auto")
    assert profile["name"] == EMBEDDED


def test_digits_stand_in_for_nothing_else(ingest):
    with pytest.raises(DownloadError, match=rf"expected Shoes from .*{UNREACHABLE}"):
        ingest("auto", name="Shoes", fallback=None)
    for source in ("embedded", "mnist"):
        with pytest.raises(
            ValueError, match=f"a folder, found '{source}': Shoes is something else"
        ):
            ingest(source, name="Shoes", fallback=None)


def test_digits_do_not_stand_in_for_other_classes(ingest):
    with pytest.raises(ValueError, match="expected 'fallback: null' for MNIST, whose classes are"):
        ingest("auto", class_names=tuple("abcdefghij"))


def test_auto_does_not_hide_what_is_wrong_here(tmp_path, ingest):
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(FileExistsError):
        ingest("auto")


def test_profile(tiny_arrays):
    profile = profile_images(tiny_arrays)
    for split, per_class in (("train", 3), ("test", 2)):
        images = getattr(tiny_arrays, f"{split}_images")
        ink = images.astype(np.float64) / 255
        assert profile[split] == {
            "dimensions": [10 * per_class, 28, 28],
            "dtype": "uint8",
            "images_per_class": {str(n): per_class for n in range(10)},
            "ink_mean": pytest.approx(ink.mean(), rel=1e-12),
            "ink_std": pytest.approx(ink.std(), rel=1e-12),
            "ink_share": pytest.approx((images > 0).mean(), rel=1e-12),
        }
    sha256 = {
        key: hashlib.sha256(idx_header(array.shape) + array.tobytes()).hexdigest()
        for key, array in tiny_arrays._asdict().items()
    }
    assert profile["sha256"] == sha256
    together = "".join(sha256[key] for key in FILES)
    assert profile["data_sha256"] == hashlib.sha256(together.encode()).hexdigest()
    assert json.loads(json.dumps(profile)) == profile


def test_the_sample_grid_shows_the_first_images_of_each_class(tiny_arrays):
    images = np.concatenate([tiny_arrays.train_images] * 6)  # 18 per class, 16 fit
    labels = np.concatenate([tiny_arrays.train_labels] * 6)
    (axes,) = draw_sample_grid(images, labels, PROFILE).axes
    assert "Some digits" in axes.get_title()
    assert [label.get_text() for label in axes.get_yticklabels()] == PROFILE["class_names"]
    grid = np.asarray(axes.images[0].get_array()).reshape(10, 28, SAMPLES_PER_CLASS, 28)
    for row, column in product(range(10), range(SAMPLES_PER_CLASS)):
        np.testing.assert_array_equal(grid[row, :, column], images[labels == row][column])


def test_real_mnist(ingest, real_mnist):
    configured = yaml.safe_load(CONFIGURATION.read_text())["data_ingestion"]
    arrays, profile = ingest(real_mnist, sha256=configured["sha256"])
    assert profile["name"] == configured["name"] == "MNIST"
    assert profile["sha256"] == configured["sha256"]
    shapes = [(60_000, 28, 28), (60_000,), (10_000, 28, 28), (10_000,)]
    assert [array.shape for array in arrays] == shapes
    counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert list(profile["train"]["images_per_class"].values()) == counts
    assert profile["train"]["ink_mean"] == pytest.approx(0.1307, abs=5e-5)
    assert profile["train"]["ink_std"] == pytest.approx(0.3081, abs=5e-5)


@pytest.fixture
def pictures(tmp_path):
    """A folder with a picture of a five and one of a seven, to train and to test with."""
    for split, digit in product(("train", "test"), (5, 7)):
        path = tmp_path / "mine" / split / str(digit) / "a.png"
        path.parent.mkdir(parents=True)
        Image.fromarray(on_paper(draw(STROKES[digit])).astype(np.uint8)).save(path)
    return tmp_path / "mine"


def test_folders_of_pictures_name_the_classes(pictures, ingest):
    arrays, profile = ingest(pictures)
    assert (profile["name"], profile["class_names"]) == ("mine (not MNIST)", ["5", "7"])
    assert profile["source"] == str(pictures)
    assert arrays.train_labels.tolist() == arrays.test_labels.tolist() == [0, 1]


def test_pictures_are_added_to_those_that_train(
    pictures, tmp_path, ingest, tiny_arrays, write_idx_folder
):
    folder = write_idx_folder(tmp_path / "theirs", tiny_arrays)
    arrays, profile = ingest(folder, extra_train_folder=pictures)
    mine, _ = ingest(pictures)
    together = np.concatenate([mine.train_images, tiny_arrays.train_images])
    np.testing.assert_array_equal(arrays.train_images, together)
    assert arrays.train_labels.tolist() == [5, 7, *tiny_arrays.train_labels.tolist()]
    for key in ("test_images", "test_labels"):
        np.testing.assert_array_equal(getattr(arrays, key), getattr(tiny_arrays, key))
    assert profile["name"] == "MNIST with mine"
    assert profile["source"] == f"{folder} and {pictures}"
    assert profile["data_sha256"] != ingest(folder)[1]["data_sha256"]
    assert profile["train"]["images_per_class"]["7"] == 4


def test_added_pictures_are_of_known_classes(pictures, tmp_path, ingest):
    (pictures / "train/7").rename(pictures / "train/seven")
    with pytest.raises(ValueError, match="train: expected folders named as .* found 5, seven"):
        ingest("embedded", extra_train_folder=pictures)
    with pytest.raises(UserError, match="expected 'extra_train_folder' to be a folder of pictures"):
        ingest("embedded", extra_train_folder=tmp_path / "nowhere")
