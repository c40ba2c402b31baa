"""From the four MNIST files to arrays, against the shortest code that does it."""

from __future__ import annotations

import gzip
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.data import load_mnist
from benchmarks.measure import Row, compare
from mnist_kedro.formats.idx import read_idx

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Shape of an item and bytes of the header, by name of the file.
LAYOUT: dict[str, tuple[tuple[int, ...], int]] = {
    "train-images-idx3-ubyte": ((28, 28), 16),
    "train-labels-idx1-ubyte": ((), 8),
    "t10k-images-idx3-ubyte": ((28, 28), 16),
    "t10k-labels-idx1-ubyte": ((), 8),
}


def measure_group(folder: Path, _runs: int) -> tuple[list[Row], list[str]]:
    """Return the rows."""
    by_gzip = {"gzip and np.frombuffer": (lambda: load_gzip_plainly(folder), "<= 1.1")}
    rows = compare("load and verify the four .gz files", lambda: load_mnist(folder), by_gzip, "ms")
    with TemporaryDirectory() as unpacked:
        raw = Path(unpacked)
        for name in LAYOUT:  # as the first stage keeps them
            (raw / name).write_bytes(gzip.decompress((folder / f"{name}.gz").read_bytes()))
        by_map = {"np.memmap": (lambda: map_raw_plainly(raw), "ours <= 5 ms")}
        name = "open the four raw files (memory map)"
        return rows + compare(name, lambda: load_raw(raw), by_map, "ms"), []


def load_gzip_plainly(folder: Path) -> list[NDArray[np.uint8]]:
    """Read compressed files and check nothing."""
    arrays = []
    for name, (item_shape, header) in LAYOUT.items():
        with gzip.open(folder / f"{name}.gz") as file:
            data = file.read()
        arrays.append(np.frombuffer(data, np.uint8, offset=header).reshape(-1, *item_shape))
    return arrays


def load_raw(raw: Path) -> list[NDArray[np.uint8]]:
    """Read raw files as the catalog does."""
    return [read_idx(raw / name, item_shape) for name, (item_shape, _) in LAYOUT.items()]


def map_raw_plainly(raw: Path) -> list[NDArray[np.uint8]]:
    """Map raw files and check nothing."""
    return [
        np.memmap(raw / name, np.uint8, "r", header).reshape(-1, *item_shape)
        for name, (item_shape, header) in LAYOUT.items()
    ]
