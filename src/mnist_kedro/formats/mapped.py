"""Going: `classifiers/items.py` still uses these."""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING, Any

import numpy as np

from mnist_kedro.formats.idx import parts

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["find_map", "is_large", "let_go", "parts"]

LARGE = 2**28  # bytes


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
    if mapped and memoryview(mapped).readonly and hasattr(mmap, "MADV_DONTNEED"):
        mapped.madvise(mmap.MADV_DONTNEED)
