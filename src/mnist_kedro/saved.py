"""What a run has saved, in the versions of that run: another run may have saved later ones."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from kedro.io import AbstractVersionedDataset, Version

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kedro.io import DataCatalog
    from kedro.pipeline.node import Node


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

    def copy(self, name: str, folder: Path) -> None:
        """Copy the file of a dataset into a folder."""
        if path := self.path(name):
            files: Any = self.catalog[name]._fs  # type: ignore[attr-defined]  # of each file dataset
            files.get(str(path), str(folder / path.name))


def latest_version(catalog: DataCatalog, name: str) -> str | None:
    """Return the version that a dataset would be loaded with, `None` if it has none."""
    dataset = catalog[name]
    return dataset.resolve_load_version() if isinstance(dataset, AbstractVersionedDataset) else None


def remove_unfinished(catalog: DataCatalog, nodes: Iterable[Node], version: str) -> None:
    """Remove what a run has saved of nodes that had not saved everything.

    Else the next stage would take the latest of each: the scores of one model, the predictions of
    another.
    """
    for node in nodes:
        outputs = [catalog.get(name, version=Version(version, None)) for name in node.outputs]
        files = [each for each in outputs if isinstance(each, AbstractVersionedDataset)]
        if not all(file.exists() for file in files):
            for file in files:
                folder = Path(file._get_versioned_path(version)).parent
                shutil.rmtree(folder, ignore_errors=True)  # it may not be there
