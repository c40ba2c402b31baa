"""Which runs are old, what they have saved, and how that is removed.

A run is kept or removed as a whole, so that what is left of the data belongs together.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from mnist_kedro.datasets.files import FileDataset
from mnist_kedro.run.versions import is_versioned

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kedro.io import DataCatalog


@dataclass(eq=False)
class SavedRun:
    """The version of a run, and what it has saved: datasets, by the path of their main file."""

    version: str
    files: dict[str, FileDataset] = field(default_factory=dict)

    def remove(self) -> None:
        """Remove all of it. If that is interrupted, the rest is found again as that of a run."""
        for path, dataset in self.files.items():
            dataset.remove_version(path)


def find_old_runs(catalog: DataCatalog, keep: int) -> list[SavedRun]:
    """Return the runs that may go, the oldest first.

    A run stays if it made one of the latest `keep` versions of any dataset, and if a champion is of
    this version or rests on it.

    Args:
        catalog: The whole one. Of its datasets those count that are versioned and the project's
            own, also those of candidates that are no longer configured.
        keep: At least 1.
    """
    runs: dict[str, SavedRun] = {}
    versions = defaultdict(set)  # by dataset
    for path, dataset in _saved_files(catalog).items():
        name, version = PurePosixPath(path).parents[1], PurePosixPath(path).parent.name
        versions[name].add(version)
        runs.setdefault(version, SavedRun(version)).files[path] = dataset
    kept = _champions(catalog).union(*(sorted(each)[-keep:] for each in versions.values()))
    return [runs[version] for version in sorted(runs.keys() - kept)]


def count_bytes(runs: Iterable[SavedRun]) -> Counter[str]:
    """Return how many bytes each of these runs frees, by version, if they are removed one by one.

    A file with several hard links counts when its last one goes.
    """
    freed: Counter[str] = Counter()
    links: Counter[Any] = Counter()
    for run in runs:
        freed[run.version] = 0
        for path, dataset in run.files.items():
            for name, info in dataset.files_of_version(path).items():
                file = info.get("ino", name)
                links[file] += 1
                if links[file] == info.get("nlink", 1):
                    freed[run.version] += info["size"]
    return freed


def _saved_files(catalog: DataCatalog) -> dict[str, FileDataset]:
    """Return the dataset of each file that has a version, by its path."""
    # In the path of a factory's dataset, a star stands for every candidate.
    patterns = [re.sub(r"\{.*?\}", "*", each) for each in catalog.config_resolver.list_patterns()]
    datasets = [catalog.get(name) for name in (*catalog, *patterns)]
    return {
        path: dataset
        for dataset in datasets
        if is_versioned(dataset) and isinstance(dataset, FileDataset)
        for path in dataset.list_versions()
    }


def _champions(catalog: DataCatalog) -> set[str]:
    """Return the versions of the champions, of the decisions on them, and of what they rest on."""
    latest = {}
    for version in sorted(_versions(catalog, "promotion")):
        decision = catalog.load("promotion", version)
        latest[decision["data"]] = {version, decision["champion"]["version"]}
    kept = set().union(*latest.values())
    for version in kept.intersection(_versions(catalog, "final_manifest")):
        kept |= {*catalog.load("final_manifest", version)["provenance"]["versions"].values()}
    return kept


def _versions(catalog: DataCatalog, name: str) -> list[str]:
    dataset = catalog.get(name) if name in catalog else None
    return dataset.list_versions(full_path=False) if is_versioned(dataset) else []
