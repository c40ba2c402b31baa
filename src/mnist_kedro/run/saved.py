"""What a run has saved, in the versions of that run: another run may have saved later ones."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, TypeGuard

from kedro.io import AbstractVersionedDataset, Version

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kedro.io import AbstractDataset, DataCatalog


@dataclass(frozen=True)
class Saved:
    """The datasets that a run reads and writes.

    Args:
        catalog: Has them.
        versions: Theirs; of any other dataset the latest is taken.
    """

    catalog: DataCatalog
    versions: Mapping[str, str | None]

    def load(self, name: str) -> Any:  # noqa: ANN401 (any dataset)
        """Load a dataset."""
        return self.catalog.load(name, version=self.versions.get(name))

    def version(self, name: str) -> str | None:
        """Return the version of a dataset, `None` if it has none."""
        return self.versions.get(name) or latest_version(self.catalog, name)

    def path(self, name: str) -> PurePath | None:
        """Return where a dataset is, `None` if it is not a versioned file."""
        version = self.version(name)
        dataset = self.catalog.get(name, version=Version(version, None)) if version else None
        if isinstance(dataset, AbstractVersionedDataset):
            return PurePath(dataset._get_load_path())
        return None

    def place(self, name: str) -> str | None:
        """Return where a dataset is, from the working directory or as an address."""
        path, here = self.path(name), Path.cwd()
        files: Any = getattr(self.catalog[name], "_fs", None)
        if path is None or files is None:
            return None
        if "file" not in files.protocol:
            return str(files.unstrip_protocol(str(path)))
        return str(path.relative_to(here) if path.is_relative_to(here) else path)

    def copy(self, name: str, folder: Path) -> None:
        """Copy the file of a dataset into a folder."""
        if path := self.path(name):
            files: Any = self.catalog[name]._fs  # type: ignore[attr-defined]  # of each file dataset
            files.get(str(path), str(folder / path.name))


def latest_version(catalog: DataCatalog, name: str) -> str | None:
    """Return the version that a dataset would be loaded with, `None` if it has none."""
    dataset = catalog.get(name)
    return dataset.resolve_load_version() if is_versioned(dataset) else None


def is_versioned(
    dataset: AbstractDataset[Any, Any] | None,
) -> TypeGuard[AbstractVersionedDataset[Any, Any]]:
    """Tell whether each run saves a version of its own."""
    return isinstance(dataset, AbstractVersionedDataset) and dataset._version is not None


def local_file(dataset: AbstractDataset[Any, Any] | None, version: str) -> Path | None:
    """Return the absolute path of a version of a dataset, if that is a local file."""
    if is_versioned(dataset) and getattr(dataset, "_protocol", "file") == "file":
        return Path(dataset._get_versioned_path(version)).absolute()
    return None


def content_sha256(dataset: AbstractDataset[Any, Any] | None) -> str | None:
    """Return the sha256, in hex, of a dataset's file; `None` if it is not one that exists."""
    if not isinstance(dataset, AbstractVersionedDataset):
        return None
    path = str(dataset._get_load_path())
    files: Any = getattr(dataset, "_fs", None)
    opened = files.open if files else open
    with suppress(FileNotFoundError, IsADirectoryError), opened(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
    return None
