"""From the four MNIST files to arrays, against the shortest code that does it."""

from __future__ import annotations

import gzip
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.measure import Row, compare
from mnist_kedro.idx import read_idx
from mnist_kedro.sources import load_folder

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Shape of an item and bytes of the header, by name of the file.
LAYOUT: dict[str, tuple[tuple[int, ...], int]] = {
    "train-images-idx3-ubyte": ((28, 28), 16),
    "train-labels-idx1-ubyte": ((), 8),
    "t10k-images-idx3-ubyte": ((28, 28), 16),
    "t10k-labels-idx1-ubyte": ((), 8),
}


def reading_rows(folder: Path) -> list[Row]:
    """Return the rows."""
    with TemporaryDirectory() as unpacked:
        raw = Path(unpacked)
        unpack(folder, raw)
        return [
            compare(
                "load and verify the four .gz files",
                "gzip and np.frombuffer",
                lambda: load_folder(folder),
                lambda: load_gzip_plainly(folder),
                "<= 1.1",
                "ms",
            ),
            compare(
                "open the four raw files (memory map)",
                "np.fromfile",
                lambda: load_raw(raw),
                lambda: load_raw_plainly(raw),
                "<= 1.0",
                "ms",
            ),
        ]


def unpack(folder: Path, raw: Path) -> None:
    """Write the four files uncompressed, as the first stage keeps them."""
    for name in LAYOUT:
        (raw / name).write_bytes(gzip.decompress((folder / f"{name}.gz").read_bytes()))


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


def load_raw_plainly(raw: Path) -> list[NDArray[np.uint8]]:
    """Read raw files and check nothing."""
    return [
        np.fromfile(raw / name, np.uint8, offset=header).reshape(-1, *item_shape)
        for name, (item_shape, header) in LAYOUT.items()
    ]
