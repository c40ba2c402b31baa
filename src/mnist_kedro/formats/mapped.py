"""Arrays in files that are mapped into memory, and may be larger than it."""

from __future__ import annotations

import math
import mmap
import tempfile
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

LARGE = 2**28  # bytes of a mapped array from which on it stays a file
PART = 2**22  # bytes that are read at once


def is_large(array: NDArray[Any]) -> bool:
    """Tell whether this is an array in a file that is not to be brought into memory as a whole."""
    return array.nbytes >= LARGE and find_map(array) is not None


def find_map(array: NDArray[Any]) -> mmap.mmap | None:
    """Return the mapped file that holds the array, if one does."""
    owner: object = array
    while isinstance(owner, np.ndarray):
        owner = owner.base
    return owner if isinstance(owner, mmap.mmap) else None


def let_go(mapped: mmap.mmap | None) -> None:
    """Tell the system that what was read of a file need not stay in this process' memory."""
    # What was written to a private map would be lost; Windows cannot be told.
    if mapped and memoryview(mapped).readonly and hasattr(mmap, "MADV_DONTNEED"):
        mapped.madvise(mmap.MADV_DONTNEED)


def parts(array: NDArray[Any]) -> Iterator[slice]:
    """Yield which rows to read at once, one part after the other; what was read is let go."""
    mapped = find_map(array)
    rows = max(1, PART // max(1, math.prod(array.shape[1:]) * array.itemsize))
    for first in range(0, len(array), rows):
        yield slice(first, first + rows)
        let_go(mapped)


def take_rows(array: NDArray[Any], rows: NDArray[np.intp]) -> NDArray[Any]:
    """Return these rows, as `array[rows]` does.

    Many rows of a mapped array are copied into a file without a name in the folder for temporary
    files, which is mapped, read-only, and goes away with the array.
    """
    mapped, shape = find_map(array), (len(rows), *array.shape[1:])
    size = math.prod(shape) * array.itemsize
    if mapped is None or size < LARGE:
        taken = array[rows]
        let_go(mapped)
        return taken
    with tempfile.TemporaryFile() as file:
        for part in np.array_split(rows, math.ceil(size / PART)):
            file.write(array[part].data)
            let_go(mapped)
        file.flush()
        return np.asarray(np.memmap(file, array.dtype, "r", shape=shape))
