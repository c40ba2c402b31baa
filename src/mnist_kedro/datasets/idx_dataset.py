"""Catalog adapter of `idx.py`."""

from __future__ import annotations

import filecmp
import os
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
from kedro.io import AbstractVersionedDataset, Version

from mnist_kedro.idx import idx_header, read_idx
from mnist_kedro.whole_files import WholeFile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


class IdxDataset(AbstractVersionedDataset["NDArray[np.uint8]", "NDArray[np.uint8]"]):
    """A raw IDX file on the local disk: saved once however often it is ingested, loaded as a map.

    When the bytes to save equal those of the latest version, the new version is a hard link to it.
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
            filepath: Where it lies.
            item_shape: Shape of one item: `[28, 28]` for images, `[]` for labels.
            version: Versions to load and save, from the catalog.
            metadata: Free for plugins; not used here.
        """
        super().__init__(PurePosixPath(filepath), version)
        self._item_shape = tuple(item_shape)
        self.metadata = metadata

    def load(self) -> NDArray[np.uint8]:
        """Return the array, `uint8 (n, *item_shape)`, read-only and memory-mapped.

        Raises:
            IdxFormatError: The file is damaged.
        """
        return read_idx(Path(self._get_load_path()), self._item_shape)

    def save(self, data: NDArray[np.uint8]) -> None:
        """Write `data`, `uint8 (n, *item_shape)`."""
        is_array_of_items = data.ndim == 1 + len(self._item_shape) and data.size > 0
        if data.dtype != np.uint8 or not is_array_of_items or data.shape[1:] != self._item_shape:
            raise ValueError(
                f"{self._filepath.name}: expected uint8 of shape {('n >= 1', *self._item_shape)}, "
                f"found {data.dtype} of shape {data.shape}"
            )
        path = Path(self._get_save_path())
        versions = self.list_versions() if self._version else []
        with WholeFile(path) as file:
            file.write(idx_header(data.shape))
            file.write(np.ascontiguousarray(data).data)
            file.flush()
            if versions and filecmp.cmp(versions[0], file.temporary, shallow=False):
                with suppress(OSError):  # no hard links on this file system: keep the copy
                    os.link(versions[0], path)
                    file.discard()

    def _exists(self) -> bool:
        return Path(self._get_load_path()).is_file()

    def _describe(self) -> dict[str, Any]:
        return {
            "filepath": self._filepath,
            "item_shape": self._item_shape,
            "version": self._version,
        }
