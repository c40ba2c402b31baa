"""Local files that are complete or absent: whatever ends a process, nobody meets half a file."""

from __future__ import annotations

import io
import logging
import os
import secrets
import shutil
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from fsspec import register_implementation
from fsspec.implementations.local import LocalFileSystem

UNFINISHED = "unfinished"  # suffix of temporary files

logger = logging.getLogger(__name__)


class WholeFile(io.BufferedWriter):
    """A new file that gets its name when it is closed, unless an exception was raised meanwhile.

    Until then it is `temporary`, in the same folder. It replaces an older file of that name.

    Args:
        path: Of the file; its folder is made if it is not there.

    Raises:
        OSError: It cannot be written, now or when it is closed. Nothing is left of it then.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(os.path.realpath(path))
        mark = f"{secrets.token_hex(4)}.{UNFINISHED}"
        self.temporary = self._path.with_name(f".{self._path.name}.{mark}")
        self._handled = sys.exception()
        self._failed_writes = 0
        self._unfinished = True
        self._made_folder = not self._path.parent.exists()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        super().__init__(io.FileIO(self.temporary, "x"))

    def write(self, data: Any) -> int:  # noqa: ANN401 (bytes of any kind)
        """Write bytes; return their number."""
        self._failed_writes += 1
        count = super().write(data)
        self._failed_writes -= 1
        return count

    def close(self) -> None:
        """Write what is left to the disk and give the file its name, or discard it."""
        if self.closed:
            return
        try:
            # There is an exception while a `with` block fails, also one around a text file on this.
            if sys.exception() is self._handled and not self._failed_writes:
                self.flush()
                os.fsync(self.fileno())
                super().close()
                with suppress(FileNotFoundError):
                    shutil.copymode(self._path, self.temporary)
                self.temporary.replace(self._path)
                self._unfinished = False
        finally:
            self.discard()

    def discard(self) -> None:
        """Remove what is not finished, with the folder that was made for it; else do nothing."""
        if not self._unfinished:
            return
        self._unfinished = False
        with suppress(OSError, ValueError):  # what is left in the buffer does not matter
            super().close()
        with suppress(OSError):
            self.temporary.unlink(missing_ok=True)
            if self._made_folder:
                self._path.parent.rmdir()  # which only works while it is empty

    def __del__(self) -> None:
        """Discard a file that nobody has closed: it may be half of one."""
        if self._unfinished:
            logger.warning("%s was never closed, so it is not saved.", self._path)
        self.discard()


class WholeFileSystem(LocalFileSystem):
    """The local file system as fsspec knows it; what is opened with "w" becomes a `WholeFile`.

    But for what fsspec is to compress, or to write in a transaction, and for devices and pipes,
    which nothing must replace: they are written as ever.
    """

    def open(self, path: str, mode: str = "rb", *options: Any, **more: Any) -> Any:  # noqa: ANN401
        """Open a file, see fsspec."""
        if more.get("compression"):  # whose wrapper would not close the file
            return LocalFileSystem(auto_mkdir=self.auto_mkdir).open(path, mode, *options, **more)
        return super().open(path, mode, *options, **more)

    def _open(self, path: str, mode: str = "rb", **options: Any) -> Any:  # noqa: ANN401 (fsspec's)
        special = Path(path).exists() and not Path(path).is_file()
        if mode == "wb" and options.get("autocommit", True) and not special:
            return WholeFile(path)
        return super()._open(path, mode, **options)


def register() -> None:
    """Let every dataset that goes by fsspec save whole files, those of Kedro included."""
    for protocol in ("file", "local"):
        register_implementation(protocol, WholeFileSystem, clobber=True)
