"""A stub of the mixin that the catalog's file datasets get."""

from __future__ import annotations

from pathlib import Path


class FileDataset:
    """A dataset whose versions are files."""

    def place(self) -> str:
        """Return the path or address of the version that would be loaded."""
        raise NotImplementedError

    def copy_to(self, folder: Path) -> Path:
        """Copy that version into a local folder; return where it is."""
        raise NotImplementedError
