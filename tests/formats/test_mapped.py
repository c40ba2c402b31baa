"""Arrays in files larger than the memory."""

import tracemalloc

import numpy as np
import pytest

from mnist_kedro.data.sources import Arrays
from mnist_kedro.formats import mapped
from mnist_kedro.formats.idx import idx_header, idx_sha256, read_idx
from mnist_kedro.formats.mapped import find_map, is_large, parts, take_rows
from mnist_kedro.pipelines.data_ingestion.nodes import profile_images

N = 5_000


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (N, 28, 28), dtype=np.uint8)


@pytest.fixture
def file(images, tmp_path):
    path = tmp_path / "images-idx3-ubyte"
    path.write_bytes(idx_header(images.shape) + images.tobytes())
    return read_idx(path, (28, 28))


@pytest.fixture
def small_steps(monkeypatch):
    monkeypatch.setattr(mapped, "LARGE", 10_000)
    monkeypatch.setattr(mapped, "PART", 100_000)


def test_large_is_what_is_in_a_file_and_has_that_many_bytes(images, file, monkeypatch):
    assert not is_large(file)
    monkeypatch.setattr(mapped, "LARGE", file.nbytes)
    assert is_large(file)
    assert not is_large(file[1:])
    assert not is_large(images)


@pytest.mark.parametrize("part", [1, 784, 100_000, 10**9])
def test_the_parts_hold_each_row_once_and_no_more_bytes_than_that(images, file, monkeypatch, part):
    monkeypatch.setattr(mapped, "PART", part)
    for array in (images, file, file.ravel()[:N]):
        found = [array[rows] for rows in parts(array)]
        assert np.array_equal(np.concatenate(found), array)
        assert max(each.nbytes for each in found) <= max(part, array[0].nbytes)
        assert len(found[0]) == min(max(1, part // array[0].nbytes), N)
    assert list(parts(images[:0])) == []


@pytest.mark.parametrize("count", [13, 14, N])  # 13 images have 10,192 bytes
def test_many_rows_of_a_file_are_in_a_file_again(file, images, small_steps, count):
    rows = np.random.default_rng(1).permutation(N)[:count]
    taken = take_rows(file, rows)
    assert np.array_equal(taken, images[rows])
    assert find_map(taken) is not None
    assert find_map(taken) is not find_map(file)
    assert not taken.flags.writeable


def test_few_rows_and_those_of_an_array_in_memory_are_in_memory(file, images, small_steps):
    assert find_map(take_rows(file, np.arange(12))) is None
    assert find_map(take_rows(images, np.arange(N))) is None


def test_the_file_of_taken_rows_has_no_name(file, small_steps, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    taken = take_rows(file, np.arange(N))
    assert list((tmp_path / "temporary").iterdir()) == []
    assert np.array_equal(taken, file)


def test_a_large_file_is_looked_at_without_being_held_in_memory(file, images, small_steps):
    """NumPy reports to `tracemalloc` what it takes; what is mapped does not count."""
    labels = np.arange(N, dtype=np.uint8) % 10
    expected = profile_images(Arrays(images, labels, images[:10], labels[:10]))
    tracemalloc.start()
    found = profile_images(Arrays(file, labels, images[:10], labels[:10]))
    take_rows(file, np.arange(N))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found == expected
    assert found["sha256"]["train_images"] == idx_sha256(images)
    assert peak < 500_000  # of 3.9 million bytes
