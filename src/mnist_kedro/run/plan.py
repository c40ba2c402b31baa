"""What a run reads and writes: versions, settled before it starts, and work that is done.

A node's work is known by a fingerprint of all that it comes from: the package's code, Python and
the packages, the node's parameters, how its outputs are saved, and the content of its inputs. What
an earlier run has saved with the same fingerprint need not be made again.
"""

from __future__ import annotations

import hashlib
import json
import logging
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.io import MemoryDataset, Version
from pydantic_core import to_jsonable_python

from mnist_kedro.run import runs
from mnist_kedro.run.saved import content_sha256, is_versioned, latest_version, local_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kedro.io import DataCatalog
    from kedro.pipeline import Pipeline
    from kedro.pipeline.node import Node

PROVENANCE = "provenance"  # the dataset that describes the run itself
# Parameters that may name files, which count with their sizes and times.
FILES = {
    "params:data_ingestion": ("source", "add"),
    "params:final_training": ("extra_test",),
    "params:inference": ("images",),
}
# Parameters that only count where they change which outputs a node has.
IN_OUTPUTS = {"params:data_split": "folds"}

logger = logging.getLogger(__name__)


class RunPlan:
    """The versions that a run reads and writes.

    Args:
        project: The project's folder.
        version: Under which the run saves.
        pipeline: What runs.
        catalog: Has everything that is saved.
        made_with: Versions of all on which results rest.
        only_missing: What earlier runs have done is taken from them.
    """

    def __init__(
        self,
        project: Path,
        version: str,
        pipeline: Pipeline,
        catalog: DataCatalog,
        made_with: Mapping[str, str],
        *,
        only_missing: bool,
    ) -> None:
        self._version, self._catalog, self._made_with = version, catalog, made_with
        self._nodes = {node.name: node for node in pipeline.nodes}
        self._settled: dict[str, str | None] = {}  # by names without `@…`
        self._contents: dict[str, str] = {}
        names = [name for name in pipeline.datasets() if _is_data(name)]
        for name in pipeline.inputs().intersection(names):
            self._settled[_plain(name)] = latest_version(catalog, name)
        done = runs.done(project) if only_missing else {}
        for node in pipeline.nodes:
            self._settle(node, self._done_by(node, done) if only_missing else None)
        self.versions = {name: self._settled[_plain(name)] for name in sorted(names)}
        if only_missing:
            self._warn_of_unversioned(pipeline.all_outputs())

    def pin(self) -> None:
        """Make the catalog load and save these versions, whatever others save meanwhile."""
        for name, load in self.versions.items():
            dataset = self._catalog.get(name)
            if is_versioned(dataset):
                dataset._version = Version(load, self._version)

    def files(self) -> list[list[str]]:
        """Return, for each node, the paths of the local files that it is to save in this run."""
        return [
            [str(path) for path in paths if path]
            for node in self._nodes.values()
            if (paths := [self._own_file(name) for name in self._versioned(node)])
        ]

    def finished(self, node_name: str) -> dict[str, str]:
        """Return what a node has saved in this run: its fingerprint, by the names of datasets."""
        node = self._nodes[node_name]
        saved = [each for each in self._versioned(node) if self.versions[each] == self._version]
        return dict.fromkeys(map(_plain, saved), self._fingerprint(node)) if saved else {}

    def _settle(self, node: Node, done_by: str | None) -> None:
        """Decide on the versions of a node's outputs; one that the user asked for goes before."""
        for name in node.outputs:
            dataset = self._catalog.get(name)
            asked = dataset._version.load if is_versioned(dataset) and dataset._version else None
            self._settled[_plain(name)] = asked or done_by or self._version

    def _done_by(self, node: Node, done: Mapping[tuple[str, str], str]) -> str | None:
        """Return the version of an earlier run that has done a node's work, if one has."""
        inputs = [self._settled.get(_plain(name)) for name in node.inputs]
        outputs = self._versioned(node)
        if self._version in inputs or not outputs:
            return None  # what its inputs will be is not known
        fingerprint = self._fingerprint(node)
        found = {done.get((_plain(name), fingerprint)) for name in outputs}
        version = found.pop()
        there = version and all(self._is_saved(name, version) for name in outputs)
        return version if there and not found else None

    def _fingerprint(self, node: Node) -> str:
        inputs = {
            name: self._content(name) if _is_data(name) else _value(self._catalog, name)
            for name in node.inputs
            if name != PROVENANCE
        }
        how_saved = {name: self._describe(name) for name in self._versioned(node)}
        parts = [package_code(), dict(self._made_with), node.name, inputs, how_saved]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def _content(self, name: str) -> str:
        """Return the sha256 of an input; of what is in no file, something new in each run."""
        plain = _plain(name)
        if plain not in self._contents:
            load = self._settled[plain]
            dataset = self._catalog.get(name, version=Version(load, None) if load else None)
            self._contents[plain] = content_sha256(dataset) or self._version
        return self._contents[plain]

    def _describe(self, name: str) -> str:
        """Return how a dataset is saved, from its catalog entry; not where: that may move."""
        dataset = self._catalog[name]
        described = dataset._describe().items()
        entry = {key: value for key, value in described if key not in ("version", "filepath")}
        return f"{type(dataset).__qualname__} {entry}"

    def _versioned(self, node: Node) -> list[str]:
        return [name for name in node.outputs if is_versioned(self._catalog.get(name))]

    def _own_file(self, name: str) -> Path | None:
        return local_file(self._catalog.get(name), self._version)

    def _is_saved(self, name: str, version: str) -> bool:
        dataset = self._catalog.get(name, version=Version(version, None))
        return dataset is not None and bool(dataset.exists())

    def _warn_of_unversioned(self, outputs: Iterable[str]) -> None:
        datasets = [(name, self._catalog.get(name)) for name in sorted(outputs)]
        if unknown := [
            name
            for name, dataset in datasets
            if dataset and not isinstance(dataset, MemoryDataset) and not is_versioned(dataset)
        ]:
            logger.warning(
                "Of what is not versioned (%s), Kedro takes as finished whatever exists.",
                ", ".join(unknown),
            )


def _is_data(name: str) -> bool:
    """Tell whether an input is a dataset, not a parameter and not the run's own description."""
    return not name.startswith("params:") and name not in ("parameters", PROVENANCE)


def _plain(name: str) -> str:
    """Return a dataset's name without what Kedro calls transcoding: `table@pandas`."""
    return name.partition("@")[0]


def _value(catalog: DataCatalog, name: str) -> Any:  # noqa: ANN401 (any parameter)
    """Return a parameter, with names, sizes and times of the files that it names."""
    value = to_jsonable_python(catalog.load(name), fallback=str)
    if name in IN_OUTPUTS:
        del value[IN_OUTPUTS[name]]
    named = (value.get(key) for key in FILES.get(name, ()))
    return [value, *(sorted(_list_files(Path(path).expanduser())) for path in named if path)]


def _list_files(path: Path) -> Iterable[tuple[str, int, int]]:
    for each in [path, *path.rglob("*")]:
        if each.is_file():
            status = each.stat()
            yield str(each), status.st_size, status.st_mtime_ns


@cache
def package_code() -> str:
    """Return the sha256 of this package's code, as it was when it was first asked for."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parents[1].rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
