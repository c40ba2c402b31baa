import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from mnist_kedro.classifiers import TorchClassifier
from mnist_kedro.classifiers import items as module
from mnist_kedro.classifiers.items import BLOCK, Items
from mnist_kedro.idx import idx_header, read_idx

CPU = torch.device("cpu")
N = 20 * BLOCK + 5


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (N, 28, 28), dtype=np.uint8)


@pytest.fixture
def large_file(images, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "LARGE", 1)
    path = tmp_path / "images-idx3-ubyte"
    path.write_bytes(idx_header(images.shape) + images.tobytes())
    return read_idx(path, (28, 28))


def resident_file_bytes():
    """Bytes of mapped files, shared libraries too, that are in this process' memory."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    line = next(line for line in lines if line.startswith("RssFile"))
    return 1024 * int(line.split()[1])


def test_a_large_file_gives_the_same_items_as_an_array(images, large_file):
    rows = torch.randperm(N, generator=torch.Generator().manual_seed(0))
    for array in (images, large_file):
        items = Items(array, CPU)
        assert len(items) == N
        assert np.array_equal(items.take(rows).numpy(), images[rows.numpy()])
        assert items.take(rows[:0]).shape == (0, 28, 28)


@pytest.mark.parametrize("at_once", [1, 100, 3 * BLOCK, 2 * N])
def test_each_row_comes_once_in_an_order_of_its_own(images, large_file, at_once):
    for array in (images, large_file):
        items = Items(array, CPU)
        parts = list(items.shuffle(at_once))
        assert [len(part) for part in parts[:-1]] == [at_once] * (len(parts) - 1)
        rows = torch.cat(parts)
        assert torch.equal(rows.sort().values, torch.arange(N))
        assert not torch.equal(rows, torch.cat(list(items.shuffle(at_once))))


def test_rows_of_a_large_file_that_come_at_once_lie_in_few_places(large_file):
    for rows in Items(large_file, CPU).shuffle(4 * BLOCK):
        places = (rows // BLOCK).unique()
        assert len(places) <= 6  # four blocks; the first and the last may be cut


def test_an_array_in_memory_is_not_copied(images):
    items = Items(images, CPU)
    images[7] = 9
    assert items.take(torch.tensor([7])).eq(9).all()


def test_what_may_not_be_written_to_is_taken_without_a_warning(images):
    images.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Items(images, CPU).take(torch.tensor([3])).shape == (1, 28, 28)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux says so, others do not")
def test_a_large_file_does_not_fill_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "LARGE", 1)
    shape, path = (200_000, 28, 28), tmp_path / "sparse-idx3-ubyte"
    with path.open("wb") as file:
        file.write(idx_header(shape))
        file.truncate(len(idx_header(shape)) + int(np.prod(shape)))
    items = Items(read_idx(path, (28, 28)), CPU)
    before = most = resident_file_bytes()
    for rows in items.shuffle(8 * BLOCK):
        items.take(rows)
        most = max(most, resident_file_bytes())
    assert most - before < 20e6  # of 157 MB


def test_a_classifier_learns_from_a_large_file_sorted_by_label(tmp_path, monkeypatch):
    images, labels = load_digits(return_X_y=True)
    order = np.argsort(labels, kind="stable")
    images = (15 * images[order]).astype(np.uint8).reshape(-1, 8, 8)
    labels = labels[order]
    path = tmp_path / "images-idx3-ubyte"
    path.write_bytes(idx_header(images.shape) + images.tobytes())
    monkeypatch.setattr(module, "LARGE", 1)
    classifier = TorchClassifier(epochs=20, batch_size=32, random_state=0)  # eight blocks at once
    classifier.fit(read_idx(path, (8, 8)), labels)
    assert classifier.score(images, labels) > 0.98
