import mmap
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from mnist_kedro.classifiers import TorchClassifier
from mnist_kedro.classifiers import items as module
from mnist_kedro.classifiers.items import BLOCK, WINDOW, Items
from mnist_kedro.formats import mapped
from mnist_kedro.formats.idx import idx_header, read_idx

CPU = torch.device("cpu")
N = 100 * BLOCK + 5


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (N, 28, 28), dtype=np.uint8)


@pytest.fixture
def large_file(images, tmp_path, monkeypatch):
    monkeypatch.setattr(mapped, "LARGE", 1)
    path = tmp_path / "images-idx3-ubyte"
    path.write_bytes(idx_header(images.shape) + images.tobytes())
    return read_idx(path, (28, 28))


def resident_file_bytes():
    """Bytes of mapped files, shared libraries too, that are in this process' memory."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    sizes = dict(line.split(":", 1) for line in lines)
    return sum(1024 * int(sizes[key].split()[0]) for key in ("RssFile", "RssShmem"))


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


def test_rows_of_a_large_file_that_come_together_lie_in_few_places(large_file):
    order = torch.cat(list(Items(large_file, CPU).shuffle(64)))
    for window in order.split(WINDOW):
        assert len((window // BLOCK).unique()) <= 34  # 32 blocks; the first and last may be cut


def test_what_is_read_ahead_holds_the_rows(images, large_file, tmp_path):
    items = Items(large_file[3:], CPU)
    content = (tmp_path / "images-idx3-ubyte").read_bytes()
    rows = torch.tensor([0, 5 * BLOCK + 7, N - 4])
    places = list(items._places(items._map, rows))
    assert len(places) == 3
    for row, (start, end) in zip(rows.tolist(), places, strict=True):
        assert start % mmap.PAGESIZE == 0
        assert 0 <= start < end <= len(content)
        assert images[3 + row].tobytes() in content[start:end]


def test_rows_that_come_next_are_read_ahead(large_file, monkeypatch):
    items, asked = Items(large_file, CPU), []
    monkeypatch.setattr(items, "_read_ahead", asked.append)
    parts = []
    for part in items.shuffle(1000):
        parts.append(part)
        if len(asked) > 1:
            assert torch.equal(part, asked[-2])
    assert len(asked[-1]) == 0  # nothing comes after the last
    assert sum(map(len, parts)) == N


def test_neighbours_in_a_large_file_do_not_come_as_neighbours(large_file):
    order = torch.cat(list(Items(large_file, CPU).shuffle(1)))
    assert (order[1:] // BLOCK == order[:-1] // BLOCK).float().mean() < 0.1


@pytest.mark.parametrize("mode", ["r", "r+", "c"])
def test_what_was_written_to_a_map_stays(images, large_file, tmp_path, mode):
    path = tmp_path / "images-idx3-ubyte"
    array = np.memmap(path, np.uint8, mode, len(idx_header(images.shape)), images.shape)
    expected = images
    if mode != "r":
        expected = 255 - images
        array[:] = expected
    items = Items(array[5:], CPU)
    for _ in range(2):
        assert np.array_equal(items.take(torch.arange(N - 5)).numpy(), expected[5:])
    assert np.array_equal(array, expected)


def test_an_array_in_memory_is_not_copied(images):
    items = Items(images, CPU)
    images[7] = 9
    assert items.take(torch.tensor([7])).eq(9).all()


def test_what_may_not_be_written_to_is_taken_without_a_warning(images):
    images.flags.writeable = False
    torch.set_warn_always(True)  # or the first of these warnings is the last
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Items(images, CPU).take(torch.tensor([3])).shape == (1, 28, 28)
    torch.set_warn_always(False)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux says so, others do not")
def test_a_large_file_does_not_fill_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(mapped, "LARGE", 1)
    shape, path = (200_000, 28, 28), tmp_path / "sparse-idx3-ubyte"
    with path.open("wb") as file:
        file.write(idx_header(shape))
        file.truncate(len(idx_header(shape)) + int(np.prod(shape)))
    items = Items(read_idx(path, (28, 28)), CPU)
    before = most = resident_file_bytes()
    for rows in items.shuffle(3 * WINDOW):
        items.take(rows)
        most = max(most, resident_file_bytes())
    assert most - before < 30e6  # of 157 MB


def test_a_classifier_learns_as_much_from_a_large_file_sorted_by_label(tmp_path, monkeypatch):
    images, labels = load_digits(return_X_y=True)
    images = (15 * images).astype(np.uint8).reshape(-1, 8, 8)
    order = np.argsort(labels[:1400], kind="stable")
    path = tmp_path / "images-idx3-ubyte"
    path.write_bytes(idx_header((1400, 8, 8)) + images[order].tobytes())
    monkeypatch.setattr(mapped, "LARGE", 1)
    monkeypatch.setattr(module, "BLOCK", 4)
    monkeypatch.setattr(module, "WINDOW", 128)
    scores = []
    for source in (images[order], read_idx(path, (8, 8))):
        classifier = TorchClassifier(epochs=20, random_state=0).fit(source, labels[order])
        again = TorchClassifier(epochs=20, random_state=0).fit(source, labels[order])
        assert np.array_equal(classifier.predict_proba(source), again.predict_proba(source))
        scores.append(classifier.score(images[1400:], labels[1400:]))
    assert scores[1] == pytest.approx(scores[0], abs=0.02)
    assert scores[1] > 0.85


def test_the_answers_for_a_large_file_are_those_for_an_array(images, large_file):
    labels = np.arange(N) % 10
    classifier = TorchClassifier(epochs=1, random_state=0).fit(images[:100], labels[:100])
    assert np.array_equal(classifier.predict_proba(large_file), classifier.predict_proba(images))
