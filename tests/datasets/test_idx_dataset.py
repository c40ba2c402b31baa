"""The catalog entry: versions that share the disk, and nothing half-written."""

import os
import pickle

import numpy as np
import pytest
from kedro.io import DataCatalog, DatasetError, Version

from mnist_kedro.datasets import IdxDataset
from mnist_kedro.formats.idx import IdxFormatError, idx_header

NAME = "train-images-idx3-ubyte"


def noise(seed, n=50):
    return np.random.default_rng(seed).integers(0, 256, (n, 28, 28), dtype=np.uint8)


IMAGES, OTHERS = noise(1), noise(2)


@pytest.fixture
def dataset(tmp_path):
    """Function that returns the entry, with the version to save; without one, unversioned."""

    def dataset(save=None, item_shape=(28, 28)):
        version = Version(None, save) if save else None
        return IdxDataset(str(tmp_path / NAME), item_shape, version)

    return dataset


@pytest.fixture
def path(tmp_path):
    return lambda version: tmp_path / NAME / version / NAME


def files(folder):
    return sorted(path for path in folder.rglob("*") if not path.is_dir())


def disk_use(folder):
    return sum({status.st_ino: status.st_size for status in map(os.stat, files(folder))}.values())


def file_content(array):
    return idx_header(array.shape) + array.tobytes()


def test_round_trip_through_the_catalog(tmp_path):
    entry = {"type": "mnist_kedro.datasets.IdxDataset", "versioned": True}
    config = {
        "images": {**entry, "filepath": str(tmp_path / "images"), "item_shape": [28, 28]},
        "labels": {**entry, "filepath": str(tmp_path / "labels")},
    }
    labels = np.arange(50, dtype=np.uint8)
    for version, images in (("v1", IMAGES), ("v2", OTHERS)):
        catalog = DataCatalog.from_config(config, save_version=version)
        catalog.save("images", images)
        catalog.save("labels", labels)
    catalog = DataCatalog.from_config(config)
    np.testing.assert_array_equal(catalog.load("images"), OTHERS)
    np.testing.assert_array_equal(catalog.load("labels"), labels)
    np.testing.assert_array_equal(catalog.load("images", version="v1"), IMAGES)
    assert (tmp_path / "images/v1/images").read_bytes() == file_content(IMAGES)
    assert (tmp_path / "labels/v1/labels").read_bytes() == file_content(labels)


def test_array_in_another_memory_order(dataset):
    transposed = IMAGES.transpose(0, 2, 1)
    dataset().save(transposed)
    np.testing.assert_array_equal(dataset().load(), transposed)


def test_equal_bytes_are_one_file_on_the_disk(tmp_path, dataset, path):
    dataset("v1").save(IMAGES)
    use = disk_use(tmp_path)
    dataset("v2").save(IMAGES.copy())
    assert path("v1").samefile(path("v2"))
    assert path("v2").stat().st_nlink == 2
    dataset("v3").save(IMAGES)
    assert path("v3").stat().st_nlink == 3
    assert disk_use(tmp_path) == use == len(file_content(IMAGES))
    assert files(tmp_path) == [path("v1"), path("v2"), path("v3")]
    np.testing.assert_array_equal(dataset("v4").load(), IMAGES)


@pytest.mark.parametrize("images", [OTHERS, IMAGES[:-1]], ids=["same size", "shorter"])
def test_different_bytes_are_two_files(tmp_path, dataset, path, images):
    dataset("v1").save(IMAGES)
    dataset("v2").save(images)
    assert [path(version).stat().st_nlink for version in ("v1", "v2")] == [1, 1]
    assert path("v1").read_bytes() == file_content(IMAGES)
    assert path("v2").read_bytes() == file_content(images)
    dataset("v3").save(images)
    assert path("v3").samefile(path("v2"))
    assert files(tmp_path) == [path("v1"), path("v2"), path("v3")]


DAMAGE = {
    "flipped": lambda content: content[:-1] + bytes([content[-1] ^ 1]),
    "truncated": lambda content: content[:-1],
    "empty": lambda _: b"",
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_damaged_version_is_not_linked_to(dataset, path, damage):
    dataset("v1").save(IMAGES)
    path("v1").write_bytes(damage(file_content(IMAGES)))
    dataset("v2").save(IMAGES)
    assert path("v2").stat().st_nlink == 1
    assert path("v2").read_bytes() == file_content(IMAGES)


def test_file_system_without_hard_links(tmp_path, dataset, path, monkeypatch):
    def refuse(*_, **__):
        raise OSError

    monkeypatch.setattr(os, "link", refuse)
    dataset("v1").save(IMAGES)
    dataset("v2").save(IMAGES)
    assert files(tmp_path) == [path("v1"), path("v2")]
    assert path("v2").read_bytes() == file_content(IMAGES)


def test_version_is_never_overwritten(dataset, path):
    dataset("v1").save(IMAGES)
    with pytest.raises(DatasetError, match="must not exist"):
        dataset("v1").save(OTHERS)
    assert path("v1").read_bytes() == file_content(IMAGES)


REFUSED = {
    "floats": (IMAGES / 255, (28, 28)),
    "signed bytes": (IMAGES.astype(np.int8), (28, 28)),
    "flat": (IMAGES.reshape(-1, 784), (28, 28)),
    "one image": (IMAGES[0], (28, 28)),
    "colour": (IMAGES[..., None], (28, 28)),
    "images as labels": (IMAGES, ()),
    "zero images": (IMAGES[:0], (28, 28)),
    "zero labels": (np.zeros(0, dtype=np.uint8), ()),
    "one number": (np.array(7, dtype=np.uint8), ()),
}


@pytest.mark.parametrize("save", [None, "v1"], ids=["unversioned", "versioned"])
@pytest.mark.parametrize(("data", "item_shape"), REFUSED.values(), ids=REFUSED)
def test_what_could_not_be_loaded_is_not_saved(tmp_path, dataset, data, item_shape, save):
    with pytest.raises(DatasetError, match=r"expected uint8 .* found "):
        dataset(save, item_shape).save(data)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("save", [None, "v2"], ids=["unversioned", "versioned"])
def test_failed_save_leaves_what_was_there(tmp_path, dataset, save):
    resource = pytest.importorskip("resource")
    dataset(save and "v1").save(IMAGES)
    before = files(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))  # as on a disk that is full
    try:
        with pytest.raises(DatasetError):
            dataset(save).save(OTHERS)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert files(tmp_path) == before
    np.testing.assert_array_equal(dataset(save).load(), IMAGES)


def test_unversioned(tmp_path, dataset):
    assert not dataset().exists()
    dataset().save(IMAGES)
    assert dataset().exists()
    assert files(tmp_path) == [tmp_path / NAME]
    dataset().save(OTHERS[:7])
    np.testing.assert_array_equal(dataset().load(), OTHERS[:7])


def test_loaded_map_outlives_a_save(dataset):
    dataset().save(IMAGES)
    loaded = dataset().load()
    dataset().save(OTHERS)
    np.testing.assert_array_equal(loaded, IMAGES)
    dataset().save(dataset().load())
    np.testing.assert_array_equal(dataset().load(), OTHERS)


@pytest.mark.parametrize("length", [0, 3, 15, 16, -1])
def test_torn_file(dataset, path, length):
    dataset("v1").save(IMAGES)
    path("v1").write_bytes(file_content(IMAGES)[:length])
    with pytest.raises(DatasetError, match=str(path("v1"))) as caught:
        dataset("v2").load()
    assert isinstance(caught.value.__cause__, IdxFormatError)


def test_pickled_for_another_process(dataset, path):
    pickle.loads(pickle.dumps(dataset("v1"))).save(IMAGES)
    assert path("v1").is_file()
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(dataset("v2"))).load(), IMAGES)
    assert dataset("v2").exists()
