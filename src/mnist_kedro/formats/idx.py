"""IDX, the file format of MNIST: bytes to array and back.

A file is two zero bytes, a byte for the type (0x08: unsigned byte, the only one in MNIST; 0x0C:
big-endian 32-bit integer, in QMNIST), a byte for the number of dimensions, one big-endian 32-bit
size per dimension, then the data in C order: http://yann.lecun.com/exdb/mnist/.
"""

from __future__ import annotations

import gzip
import hashlib
import math
import struct
import zlib
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from mnist_kedro.lazy import np
from mnist_kedro.parameters import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

UNSIGNED_BYTE, INTEGER = 0x08, 0x0C  # types
DTYPES = {UNSIGNED_BYTE: "u1", INTEGER: ">i4"}
GZIP_MAGIC = b"\x1f\x8b"
MAX_UNPACKED_BYTES = 2**30  # a compressed file is unpacked in memory; a raw one is mapped
PART = 2**22  # bytes that are read at once


class IdxFormatError(UserError):
    """A file is not the IDX file that it should be; says file, expected and found."""


def read_idx(path: Path, item_shape: Sequence[int] = (), kind: int = UNSIGNED_BYTE) -> NDArray[Any]:
    """Read an IDX file, raw or gzip-compressed (told by content, not by name).

    Args:
        path: The file.
        item_shape: Shape of one item: `(28, 28)` for images, `()` for labels.
        kind: Type of the data, one of `DTYPES`.

    Returns:
        Read-only array of shape `(n, *item_shape)`, `n >= 1`, and of the dtype that `DTYPES` has
        for `kind`. A raw file is memory-mapped.

    Raises:
        IdxFormatError: The file is anything else, or damaged.
        OSError: The file cannot be opened or read.
    """
    path, dtype = Path(path), np.dtype(DTYPES[kind])
    with path.open("rb") as file:
        is_compressed = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
        file.seek(0)
        if is_compressed:
            return _read_gzip(file, path, tuple(item_shape), kind)
        shape = _read_header(file, path, tuple(item_shape), kind)
        offset = file.tell()
    _check_length(path, shape, math.prod(shape) * dtype.itemsize, path.stat().st_size - offset)
    return np.asarray(np.memmap(path, dtype, mode="r", offset=offset, shape=shape))


def idx_header(shape: Sequence[int], kind: int = UNSIGNED_BYTE) -> bytes:
    """Return the header of an IDX file of this shape and type."""
    return struct.pack(f">HBB{len(shape)}I", 0, kind, len(shape), *shape)


def idx_sha256(array: NDArray[Any]) -> str:
    """Return the sha256, in hex, of the raw IDX file that holds this array, as `sha256sum` does."""
    kind = next(kind for kind, dtype in DTYPES.items() if dtype == array.dtype)
    digest = hashlib.sha256(idx_header(array.shape, kind))
    for part in parts(array):
        digest.update(np.ascontiguousarray(array[part]).data)
    return digest.hexdigest()


def parts(array: NDArray[Any]) -> Iterator[slice]:
    """Yield slices of rows, of some megabytes each, for arrays that may not fit into memory."""
    rows = max(1, PART // max(1, math.prod(array.shape[1:]) * array.itemsize))
    for first in range(0, len(array), rows):
        yield slice(first, first + rows)


def _read_gzip(file: IO[bytes], path: Path, item_shape: tuple[int, ...], kind: int) -> NDArray[Any]:
    try:
        with gzip.open(file) as unpacked:
            shape = _read_header(unpacked, path, item_shape, kind)
            expected = math.prod(shape) * np.dtype(DTYPES[kind]).itemsize
            if expected > MAX_UNPACKED_BYTES:
                raise IdxFormatError(
                    f"{path}: expected at most {MAX_UNPACKED_BYTES:,} bytes of compressed data, "
                    f"found a header that claims {shape}: unpack the file if this is true"
                )
            data = unpacked.read(expected + 1)  # one more shows that there are trailing bytes
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise IdxFormatError(f"{path}: expected a whole gzip file, found: {error}") from error
    _check_length(path, shape, expected, len(data))
    return np.frombuffer(data, DTYPES[kind]).reshape(shape)


def _read_header(
    file: IO[bytes] | gzip.GzipFile, path: Path, item_shape: tuple[int, ...], kind: int
) -> tuple[int, ...]:
    """Return the shape in the header, checked; leave `file` at the first item."""
    dimensions = 1 + len(item_shape)
    magic = file.read(4)
    expected = struct.pack(">HBB", 0, kind, dimensions)
    if magic != expected:
        raise IdxFormatError(
            f"{path}: expected the IDX magic number {expected.hex(' ')} ({dimensions} dimensions), "
            f"found {magic.hex(' ') or 'an empty file'} ({magic!r})"
        )
    sizes = file.read(4 * dimensions)
    if len(sizes) != 4 * dimensions:
        raise IdxFormatError(
            f"{path}: expected {4 * dimensions} bytes of sizes in the header, found {len(sizes)}"
        )
    shape = struct.unpack(f">{dimensions}I", sizes)
    if shape[1:] != item_shape or shape[0] == 0:
        wanted = ", ".join(["at least 1", *map(str, item_shape)])
        raise IdxFormatError(f"{path}: expected the dimensions ({wanted}), found {shape}")
    return shape


def _check_length(path: Path, shape: tuple[int, ...], expected: int, found: int) -> None:
    if found != expected:
        length = f"{found:,}" if found < expected else "more: trailing bytes"
        raise IdxFormatError(
            f"{path}: expected {expected:,} bytes of data for dimensions {shape}, found {length}"
        )
