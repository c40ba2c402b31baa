"""Kedro's file datasets, with files that are whole or absent.

Kedro's own open the final path and write into it: a run that is killed meanwhile leaves half a
file, and the next run takes it for the latest version.
"""

from __future__ import annotations

import os
import secrets
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any

from fsspec.core import strip_protocol
from fsspec.implementations.local import LocalFileSystem
from kedro.io import Version
from kedro.io.core import get_filepath_str

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from fsspec import AbstractFileSystem
    from kedro.io import AbstractVersionedDataset

    Dataset = AbstractVersionedDataset[Any, Any]
else:
    Dataset = object  # Kedro wraps the `__init__` of its subclasses; this one is mixed in

TEXT_OPTIONS = ("encoding", "errors", "newline")


@contextmanager
def write_whole(path: str | Path, mode: str = "wb", **options: Any) -> Iterator[IO[Any]]:  # noqa: ANN401
    """Open a file that gets its name when the `with` block has ended without an error.

    Until then it lies beside that name. A process that is killed leaves it there, unread.

    Args:
        path: Of the file; its folder is made.
        mode: `wb` or `w`.
        options: As `open` takes them.

    Raises:
        OSError: It cannot be written. Nothing is left of it then.
    """
    path = Path(os.path.realpath(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}.unfinished")
    try:
        with unfinished.open(mode, **options) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


class WholeFileSystem(LocalFileSystem):
    """The local file system; what is opened with `w` is written by `write_whole`."""

    def open(
        self,
        path: str,
        mode: str = "rb",
        **options: Any,  # noqa: ANN401 (as fsspec's)
    ) -> IO[Any] | AbstractContextManager[IO[Any]]:
        """Open a file, as fsspec does; one to be written needs a `with` block."""
        if "w" not in mode or options.get("compression"):  # what fsspec compresses, it writes
            file: IO[Any] = super().open(path, mode, **options)
            return file
        text_options = {name: options[name] for name in TEXT_OPTIONS if name in options}
        return write_whole(strip_protocol(path), mode, **text_options)


class FileDataset(Dataset):
    """What the project asks of every file in the catalog, mixed into a file dataset of Kedro's."""

    _protocol: str

    @property
    def _fs(self) -> AbstractFileSystem:
        """Where the file lies. Kedro's datasets set it; a local one becomes a whole-file one."""
        return self._files

    @_fs.setter
    def _fs(self, files: AbstractFileSystem) -> None:
        self._files = WholeFileSystem(auto_mkdir=True) if type(files) is LocalFileSystem else files

    def pin(self, load: str | None, save: str | None) -> None:
        """Load and save these versions from now on, whatever others save meanwhile."""
        self._version = Version(load, save)
        self.release()

    @property
    def filepath(self) -> str:
        """Path of the file that would be loaded; Kedro-Viz shows its size."""
        return str(self._get_load_path())

    def place(self) -> str:
        """Return the path, or the address elsewhere, of the file that would be loaded."""
        path = self.filepath
        is_local = isinstance(self._fs, LocalFileSystem)
        return path if is_local else str(self._fs.unstrip_protocol(path))

    def files_of_version(self, path: str) -> dict[str, dict[str, Any]]:
        """Return all files of a version, by path, as fsspec describes them.

        Args:
            path: That of its main file, as `list_versions` has it.
        """
        files: dict[str, dict[str, Any]] = self._fs.find(_folder(path), detail=True)
        return files

    def remove_version(self, path: str) -> None:
        """Remove a version; `path` is that of its main file.

        That file goes last: what an interrupted call has left is a version still.
        """
        for other in self.files_of_version(path).keys() - {path}:
            self._fs.rm_file(other)
        self._fs.rm_file(path)
        if self._fs.exists(_folder(path)):  # object stores have no folders
            self._fs.rm(_folder(path), recursive=True)

    def copy_to(self, folder: Path) -> Path:
        """Copy the file that would be loaded into a local folder; return the copy's path."""
        path = self._get_load_path()
        copy = folder / path.name
        self._fs.get_file(get_filepath_str(path, self._protocol), str(copy))
        return copy


def _folder(path: str) -> str:
    return str(PurePosixPath(path).parent)
