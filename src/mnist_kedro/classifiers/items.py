"""The items that a network is trained on: on its device, or in a file larger than the memory."""

from __future__ import annotations

import mmap
import warnings
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from mnist_kedro.formats.mapped import find_map, is_large, let_go

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike, NDArray

# Items of a large file that are read together: each place that is read brings up to 2 MB of the
# file into this process' memory.
BLOCK = 128
WINDOW = 32 * BLOCK  # rows that are mixed


class Items:
    """Items of which batches are taken.

    An array goes to the device as a whole; of a large one that is mapped from a file, only what is
    taken does, and the system is told that the rest of the file need not stay in memory.

    Args:
        array: `(n, ...)`, `uint8` or `float32`; it may be read-only.
        device: Where batches are wanted.
    """

    def __init__(self, array: NDArray[Any], device: torch.device) -> None:
        self.device = device
        self._map = find_map(array) if is_large(array) else None
        self._tensor = _share(array) if self._map else _share(array).to(device)

    def __len__(self) -> int:
        return len(self._tensor)

    def shuffle(self, at_once: int) -> Iterator[torch.Tensor]:
        """Yield all rows in random order, `int64`, so many at once (the last time what is left).

        Those of a large file are shuffled by blocks of neighbours, then among 32 such blocks.
        """
        order = torch.randperm(-(-len(self) // BLOCK) if self._map else len(self))
        if self._map:
            order = (BLOCK * order[:, None] + torch.arange(BLOCK)).flatten()
            windows = order[order < len(self)].split(WINDOW)
            order = torch.cat([window[torch.randperm(len(window))] for window in windows])
        parts = order.split(at_once)
        for part, next_part in zip_longest(parts, parts[1:], fillvalue=order[:0]):
            self._read_ahead(next_part)
            yield part

    def take(self, rows: torch.Tensor) -> torch.Tensor:
        """Return the items of these rows, `int64 (n,)`, on the device."""
        if self._map is None:
            return self._tensor.index_select(0, rows.to(self._tensor.device))
        parts = []
        for part in rows.split(WINDOW):
            parts.append(self._tensor.index_select(0, part))
            let_go(self._map)
        return (parts[0] if len(parts) == 1 else torch.cat(parts)).to(self.device)

    def _read_ahead(self, rows: torch.Tensor) -> None:
        """Let the system bring the blocks of these rows from the disk, while others are used."""
        if self._map and hasattr(mmap, "MADV_WILLNEED"):
            for start, end in self._places(self._map, rows):
                self._map.madvise(mmap.MADV_WILLNEED, start, end - start)

    def _places(self, mapped: mmap.mmap, rows: torch.Tensor) -> Iterator[tuple[int, int]]:
        """Yield where in the map the blocks of these rows begin and end, in whole pages."""
        first = self._tensor.data_ptr() - np.frombuffer(mapped, np.uint8).ctypes.data
        size = self._tensor[0].nbytes * BLOCK
        for block in (rows // BLOCK).unique().tolist():
            start = (first + block * size) // mmap.PAGESIZE * mmap.PAGESIZE
            yield start, min(first + (block + 1) * size, len(mapped))


def how_to_read(items: ArrayLike) -> dict[str, Any]:
    """Return how scikit-learn's checks are to read items: keep `uint8`, make all else `float32`."""
    dtype = np.uint8 if getattr(items, "dtype", None) == np.uint8 else np.float32
    return {"dtype": dtype, "allow_nd": True, "order": "C"}


def _share(array: NDArray[Any]) -> torch.Tensor:
    """Return a tensor on the array's own memory."""
    with warnings.catch_warnings():
        # Nothing is written to items, so they may be read-only.
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(array)
