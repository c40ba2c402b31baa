"""IDX, the file format of MNIST: bytes to array and back.

A file is two zero bytes, a byte for the type (0x08: unsigned byte, the only one MNIST uses; 0x0C:
big-endian 32-bit integer, QMNIST's), a byte for the number of dimensions, one big-endian 32-bit
size per dimension, then the data in C order.
Described by its authors at http://yann.lecun.com/exdb/mnist/ and in many copies of that page.
"""

from __future__ import annotations

import gzip
import hashlib
import math
import struct
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from mnist_kedro.formats.mapped import parts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

UNSIGNED_BYTE, INTEGER = 0x08, 0x0C  # types
DTYPES: dict[int, np.dtype[Any]] = {UNSIGNED_BYTE: np.dtype("u1"), INTEGER: np.dtype(">i4")}
PLURALS = {UNSIGNED_BYTE: "unsigned bytes", INTEGER: "32-bit integers"}
GZIP_MAGIC = b"\x1f\x8b"
# Deflate cannot shrink data by more than this, so a header that claims more lies.
MAX_GZIP_RATIO = 1032
# What a compressed file may unpack to in memory; a raw file is mapped and has no limit.
MAX_UNPACKED_BYTES = 2**30


class IdxFormatError(ValueError):
    """A file is not the IDX file that it should be; says file, expected and found."""


def read_idx(path: Path, item_shape: Sequence[int] = (), kind: int = UNSIGNED_BYTE) -> NDArray[Any]:
    """Read an IDX file, raw or gzip-compressed (told by content, not by name).

    Args:
        path: The file.
        item_shape: Shape of one item: `(28, 28)` for images, `()` for labels.
        kind: Its type, one of `DTYPES`.

    Returns:
        `uint8` array, or of another kind, of shape `(n, *item_shape)`, `n >= 1`, read-only. A raw
        file is memory-mapped.

    Raises:
        IdxFormatError: The file is anything else, however it is broken.
        OSError: The file cannot be opened or read.
    """
    path = Path(path)
    with _unpacked(path) as file:
        shape = _read_header(file, path, tuple(item_shape), kind)
        if isinstance(file, gzip.GzipFile):
            return _read_gzip(file, path, shape, DTYPES[kind])
        offset = file.tell()
    expected, found = math.prod(shape) * DTYPES[kind].itemsize, path.stat().st_size - offset
    if found != expected:
        raise IdxFormatError(_wrong_length(path, shape, expected, found))
    return np.asarray(np.memmap(path, dtype=DTYPES[kind], mode="r", offset=offset, shape=shape))


def largest_size(path: Path, item_shape: Sequence[int] = (), kind: int = UNSIGNED_BYTE) -> int:
    """Return how many bytes a file can have at most, raw or compressed, that begins as this one.

    Args:
        path: The beginning of a file, some hundred bytes or more.
        item_shape: As in `read_idx`.
        kind: As in `read_idx`.

    Raises:
        IdxFormatError: No such file begins so, or it would be larger than `MAX_UNPACKED_BYTES`.
        OSError: The file cannot be opened or read.
    """
    with _unpacked(path) as file:
        shape = _read_header(file, path, tuple(item_shape), kind)
    size = math.prod(shape) * DTYPES[kind].itemsize
    _check_size(path, shape, size, MAX_UNPACKED_BYTES)
    return size + size // 1000 + 1024  # what a header takes, and Deflate where it cannot shrink


def idx_header(shape: Sequence[int], kind: int = UNSIGNED_BYTE) -> bytes:
    """Return the header of an IDX file that holds unsigned bytes, or others, of this shape."""
    return struct.pack(f">HBB{len(shape)}I", 0, kind, len(shape), *shape)


def idx_sha256(array: NDArray[Any]) -> str:
    """Return the sha256 that `sha256sum` prints for this array's raw IDX file, in hex."""
    kind = next(kind for kind, dtype in DTYPES.items() if dtype == array.dtype)
    digest = hashlib.sha256(idx_header(array.shape, kind))
    for rows in parts(array):
        digest.update(np.ascontiguousarray(array[rows]).data)
    return digest.hexdigest()


@contextmanager
def _unpacked(path: Path) -> Iterator[IO[bytes] | gzip.GzipFile]:
    """Open a file to be read without its compression, if it has one."""
    with path.open("rb") as file:
        packed = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
        file.seek(0)
        if not packed:
            yield file
            return
        try:
            with gzip.open(file) as unpacked:
                yield unpacked
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise IdxFormatError(f"{path}: expected a whole gzip file, found: {error}") from error


def _read_gzip(
    file: gzip.GzipFile, path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> NDArray[Any]:
    expected = math.prod(shape) * dtype.itemsize
    limit = min(MAX_UNPACKED_BYTES, MAX_GZIP_RATIO * path.stat().st_size)
    _check_size(path, shape, expected, limit)
    # One byte more than expected shows trailing bytes without unpacking all of them.
    data = file.read(expected + 1)
    if len(data) != expected:
        raise IdxFormatError(_wrong_length(path, shape, expected, len(data)))
    return np.frombuffer(data, dtype=dtype).reshape(shape)


def _check_size(path: Path, shape: tuple[int, ...], size: int, limit: int) -> None:
    """Do not let a header claim more than that, in bytes, which memory would be taken for."""
    if size > limit:
        raise IdxFormatError(
            f"{path}: expected at most {limit:,} bytes from a file of this size, found a "
            f"header that claims {shape}; unpack the file first if it is meant to be large"
        )


def _read_header(
    file: IO[bytes] | gzip.GzipFile, path: Path, item_shape: tuple[int, ...], kind: int
) -> tuple[int, ...]:
    """Return the shape that the header declares, checked; leave `file` at the first item."""
    dimensions = 1 + len(item_shape)
    magic = file.read(4)
    expected = struct.pack(">HBB", 0, kind, dimensions)
    if magic != expected:
        raise IdxFormatError(
            f"{path}: expected the IDX magic number {expected.hex(' ')} "
            f"({dimensions} dimensions of {PLURALS[kind]}), found "
            f"{magic.hex(' ') or 'an empty file'} ({magic!r})"
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


def _wrong_length(path: Path, shape: tuple[int, ...], expected: int, found: int) -> str:
    length = f"{found:,}" if found < expected else "more: trailing bytes"
    return f"{path}: expected {expected:,} bytes of data for the dimensions {shape}, found {length}"
