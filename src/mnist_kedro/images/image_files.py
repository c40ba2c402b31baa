"""The images in a picture, an IDX, NumPy or CSV file, or in a folder of such files."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from textwrap import shorten
from tokenize import TokenError
from typing import TYPE_CHECKING, Any

import numpy as np

from mnist_kedro.formats.idx import GZIP_MAGIC, idx_header, read_idx
from mnist_kedro.formats.mnist_format import SIDE
from mnist_kedro.formats.pictures import WHITE, decode_picture
from mnist_kedro.images.normalization import Seen, to_mnist_format
from mnist_kedro.lazy import pd
from mnist_kedro.parameters import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

IDX_MAGIC = idx_header(())[:3]  # two zero bytes and the type, whatever the dimensions
READERS = min(os.cpu_count() or 1, 4)  # threads; each may hold a large picture in memory
MAX_REASON = 200  # characters of an error of NumPy or pandas, which may quote a whole file
# What NumPy raises for damaged headers.
DAMAGED = ValueError, TypeError, OverflowError, MemoryError, RecursionError, TokenError


@dataclass(frozen=True)
class Picture:
    """One image in a file, not read yet.

    Args:
        name: The name of the file; with a number, from 1 on, if it holds several: `test.csv#7`.
        load: Returns grey values `(height, width)`, 0-255, or raises `UserError` or `OSError`.
        ready: Whether they are in MNIST's format already: `uint8 (28, 28)`.
    """

    name: str
    load: Callable[[], NDArray[Any]]
    ready: bool = False

    def see(self) -> Seen:
        """Return what a classifier gets to see, or raise a `UserError` or `OSError`."""
        grey = self.load()
        return Seen(grey, None) if self.ready else to_mnist_format(grey)

    def try_to_see(self) -> tuple[NDArray[np.uint8] | None, str | None]:
        """Return what `see` returns, or `None` and why the image cannot be read."""
        try:
            return self.see()
        except (UserError, OSError) as error:
            return None, str(error)


def see_all(pictures: Iterable[Picture]) -> list[tuple[NDArray[np.uint8] | None, str | None]]:
    """Return what `try_to_see` returns for each picture; several are read at once."""
    with ThreadPoolExecutor(READERS) as pool:
        return list(pool.map(Picture.try_to_see, pictures))


def find_pictures(path: Path) -> Iterator[Picture]:
    """Yield the images of a file, or of all files in a folder and its subfolders, sorted by name.

    A damaged file of many images is yielded as one picture, whose `load` raises the error.
    """
    folder = path if path.is_dir() else path.parent
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        name = file.relative_to(folder)
        if file.is_file() and not any(part.startswith(".") for part in name.parts):
            try:
                yield from _in_file(file, name.as_posix())
            except (UserError, OSError) as error:
                yield Picture(name.as_posix(), partial(_fail, error))


def numbered(name: str, images: Iterable[NDArray[np.uint8]]) -> Iterator[Picture]:
    """Yield images in MNIST's format, `uint8 (28, 28)`, named `<name>#1`, `<name>#2`, ..."""
    for number, image in enumerate(images, start=1):
        yield Picture(f"{name}#{number}", partial(np.asarray, image), ready=True)


def _in_file(path: Path, name: str) -> Iterator[Picture]:
    with path.open("rb") as file:
        start = file.read(len(IDX_MAGIC))
    if start == IDX_MAGIC or start.startswith(GZIP_MAGIC):
        yield from numbered(name, read_idx(path, (SIDE, SIDE)))
    elif path.suffix.lower() == ".npy":
        yield from _in_array(path, name)
    elif path.suffix.lower() == ".csv":
        yield from numbered(name, _read_table(path))
    else:
        yield Picture(name, partial(_decode, path))


def _in_array(path: Path, name: str) -> Iterator[Picture]:
    try:
        images = np.lib.format.open_memmap(path, mode="r")
    except DAMAGED as error:
        raise UserError(
            f"{path}: expected a NumPy array, found a damaged one: {_in_short(error)}"
        ) from error
    if (images.dtype, images.ndim) != (np.dtype(np.uint8), 3) or not images.size:
        raise UserError(
            f"{path}: expected images of 0-255 (uint8) of shape (n, height, width), found "
            f"{_in_short(images.dtype)} of shape {_in_short(images.shape)}: multiply values of 0-1 "
            f"by 255"
        )
    for number, image in enumerate(images, start=1):
        yield Picture(f"{name}#{number}", partial(np.array, image))


def _read_table(path: Path) -> NDArray[np.uint8]:
    """Read the images of a table in the format of Kaggle's Digit Recognizer: a row per image."""
    expected = (
        f"{path}: expected a header and {SIDE**2} columns of whole numbers of 0-255, as in "
        f"Kaggle's test.csv, found"
    )
    try:
        table = pd.read_csv(path)
    except ValueError as error:
        raise UserError(f"{expected} a damaged one: {_in_short(error)}") from error
    if not isinstance(table.index, pd.RangeIndex):  # pandas took the first column for an index
        raise UserError(f"{expected} rows with more numbers than the header has names")
    first = str(table.columns[0])
    pixels = table.drop(columns="label", errors="ignore").to_numpy()
    # Without a header, pandas takes the first image for it.
    if pixels.shape[1] != SIDE**2 or pixels.dtype.kind != "i" or first.isdigit():
        raise UserError(
            f"{expected} {pixels.shape[1]} of {pixels.dtype}, the first one named "
            f"'{_in_short(first)}'"
        )
    if pixels.min() < 0 or pixels.max() > WHITE:
        raise UserError(f"{expected} numbers from {pixels.min()} to {pixels.max()}")
    return pixels.astype(np.uint8).reshape(-1, SIDE, SIDE)


def _in_short(text: object) -> str:
    """Return the beginning of a text, in one line; the `repr` of an error without a text."""
    return shorten(str(text) or repr(text), MAX_REASON)


def _decode(path: Path) -> NDArray[np.float32]:
    with path.open("rb") as file:
        return decode_picture(file)


def _fail(error: Exception) -> NDArray[Any]:
    raise error
