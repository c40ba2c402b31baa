"""Catalog adapter of `idx.py`."""

from __future__ import annotations

import filecmp
import os
import tempfile
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import fsspec
import numpy as np
from kedro.io import AbstractVersionedDataset, Version
from kedro.io.core import get_protocol_and_path

from mnist_kedro.formats.idx import idx_header, parts, read_idx
from mnist_kedro.run.whole_files import WholeFile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


class IdxDataset(AbstractVersionedDataset["NDArray[np.uint8]", "NDArray[np.uint8]"]):
    """A raw IDX file wherever fsspec gets to.

    One on the local disk is saved once however often it is ingested, and loaded as a map: when the
    bytes to save equal those of the latest version, the new version is a hard link to it.
    """

    def __init__(
        self,
        filepath: str,
        item_shape: Sequence[int] = (),
        version: Version | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Describe the file.

        Args:
            filepath: Where it lies, such as `data/images` or `s3://bucket/images`.
            item_shape: Shape of one item: `[28, 28]` for images, `[]` for labels.
            version: Versions to load and save, from the catalog.
            metadata: Free for plugins; not used here.
        """
        protocol, path = get_protocol_and_path(filepath, version)
        self._fs = fsspec.filesystem(protocol)
        self._protocol = protocol
        super().__init__(PurePosixPath(path), version, self._fs.exists, self._fs.glob)
        self._item_shape = tuple(item_shape)
        self.metadata = metadata

    def load(self) -> NDArray[np.uint8]:
        """Return the array, `uint8 (n, *item_shape)`, read-only; of a local file, memory-mapped.

        Raises:
            IdxFormatError: The file is damaged.
        """
        path = self._get_load_path()
        if self._is_local():
            return read_idx(Path(path), self._item_shape)
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder, path.name)
            self._fs.get_file(str(path), str(copy))
            array = np.array(read_idx(copy, self._item_shape))
        array.setflags(write=False)
        return array

    def save(self, data: NDArray[np.uint8]) -> None:
        """Write `data`, `uint8 (n, *item_shape)`."""
        is_array_of_items = data.ndim == 1 + len(self._item_shape) and data.size > 0
        if data.dtype != np.uint8 or not is_array_of_items or data.shape[1:] != self._item_shape:
            raise ValueError(
                f"{self._filepath.name}: expected uint8 of shape {('n >= 1', *self._item_shape)}, "
                f"found {data.dtype} of shape {data.shape}"
            )
        path = self._get_save_path()
        versions = self.list_versions() if self._version and self._is_local() else []
        with WholeFile(Path(path)) if self._is_local() else self._fs.open(str(path), "wb") as file:
            file.write(idx_header(data.shape))
            for rows in parts(data):
                file.write(np.ascontiguousarray(data[rows]).data)
            file.flush()
            if versions and filecmp.cmp(versions[0], file.temporary, shallow=False):
                with suppress(OSError):  # no hard links on this file system: keep the copy
                    os.link(versions[0], path)
                    file.discard()

    def _is_local(self) -> bool:
        return bool(self._protocol == "file")

    def _exists(self) -> bool:
        return bool(self._fs.isfile(str(self._get_load_path())))

    def _describe(self) -> dict[str, Any]:
        return {
            "filepath": self._filepath,
            "item_shape": self._item_shape,
            "version": self._version,
        }
