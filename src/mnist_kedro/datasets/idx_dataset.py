"""Raw IDX files as datasets."""

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

from mnist_kedro.datasets.files import FileDataset
from mnist_kedro.formats.idx import idx_header, parts, read_idx

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


class IdxDataset(FileDataset, AbstractVersionedDataset["NDArray[np.uint8]", "NDArray[np.uint8]"]):
    """A raw IDX file. One on the local disk is memory-mapped when it is loaded.

    On the local disk a file costs its space once, however often it is ingested: a version with the
    same bytes as the latest one is a hard link to it.
    """

    def __init__(
        self,
        filepath: str,
        item_shape: Sequence[int] = (),
        version: Version | None = None,
        credentials: dict[str, Any] | None = None,
        fs_args: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Describe the file.

        Args:
            filepath: Where it lies, such as `data/images` or `s3://bucket/images`.
            item_shape: Shape of one item: `[28, 28]` for images, `[]` for labels.
            version: Versions to load and save.
            credentials: For a remote file system.
            fs_args: Options of the file system.
            metadata: For plugins.
        """
        self._protocol, path = get_protocol_and_path(filepath, version)
        self._fs = fsspec.filesystem(self._protocol, **(credentials or {}), **(fs_args or {}))
        super().__init__(PurePosixPath(path), version, self._fs.exists, self._fs.glob)
        self._item_shape = tuple(item_shape)
        self.metadata = metadata

    def load(self) -> NDArray[np.uint8]:
        """Return the array, `uint8 (n, *item_shape)`, read-only, or raise an `IdxFormatError`."""
        if self._protocol == "file":
            return read_idx(Path(self._get_load_path()), self._item_shape)
        with tempfile.TemporaryDirectory() as folder:
            array = np.array(read_idx(self.copy_to(Path(folder)), self._item_shape))
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
        path = str(self._get_save_path())
        versions = self.list_versions() if self._version and self._protocol == "file" else []
        with self._fs.open(path, "wb") as file:
            file.write(idx_header(data.shape))
            for rows in parts(data):
                file.write(np.ascontiguousarray(data[rows]).data)
        if versions and filecmp.cmp(versions[0], path, shallow=False):
            link = f"{path}.unfinished"
            with suppress(OSError):  # no hard links on this file system: the copy stays
                os.link(versions[0], link)
                Path(link).replace(path)

    def _exists(self) -> bool:
        return bool(self._fs.isfile(str(self._get_load_path())))

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath, "item_shape": self._item_shape}
