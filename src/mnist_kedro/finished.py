"""Which version of each dataset a run reads and writes, and what of it earlier runs have finished.

Every dataset has a fingerprint of all that it came from: the code, the packages, the node's
parameters, and the fingerprints of its inputs. Where an earlier run has saved one with the same
fingerprint, the work need not be done again.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.io import AbstractVersionedDataset, Version
from pydantic_core import to_jsonable_python

from mnist_kedro import runs
from mnist_kedro.saved import latest_version

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kedro.io import DataCatalog
    from kedro.pipeline import Pipeline
    from kedro.pipeline.node import Node

PROVENANCE = "provenance"  # the dataset that describes the run itself
# Parameters that may name files, whose content counts.
FILES = {"params:data_ingestion": "source", "params:inference": "images"}


class RunPlan:
    """What a run is to read and write.

    Args:
        project: The project's folder.
        version: Under which the run saves.
        pipeline: What runs.
        catalog: Has everything that is saved.
        packages: Versions of the packages on which results rest.
        only_missing: What earlier runs have finished is taken from them.
    """

    def __init__(
        self,
        project: Path,
        version: str,
        pipeline: Pipeline,
        catalog: DataCatalog,
        packages: Mapping[str, str],
        *,
        only_missing: bool,
    ) -> None:
        self._project = project
        self._catalog = catalog
        inputs = {name for name in pipeline.inputs() if _is_data(name)}
        self.versions = {name: latest_version(catalog, name) for name in sorted(inputs)}
        self.fingerprints = {name: self._saved_fingerprint(name) for name in inputs}
        earlier = runs.versions(project) if only_missing else []
        for node in pipeline.nodes:
            value = self._fingerprint(node, packages)
            done_by = next((each for each in earlier if self._is_done(node, value, each)), version)
            self.fingerprints |= dict.fromkeys(node.outputs, value)
            self.versions |= dict.fromkeys(node.outputs, done_by)

    def pin(self, version: str) -> None:
        """Make the catalog load these versions, and save as `version`: others may run meanwhile."""
        for name, load in self.versions.items():
            dataset = self._catalog[name]
            if isinstance(dataset, AbstractVersionedDataset):
                dataset._version = Version(load, version)

    def _saved_fingerprint(self, name: str) -> str:
        """Return the fingerprint of an input; of one without, its version has to do."""
        version = str(self.versions[name])
        return runs.finished(self._project, version).get(name, version)

    def _fingerprint(self, node: Node, packages: Mapping[str, str]) -> str:
        inputs = {
            name: self.fingerprints[name] if _is_data(name) else _value(self._catalog, name)
            for name in node.inputs
            if name != PROVENANCE
        }
        parts = [_code(), dict(packages), node.name, inputs]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def _is_done(self, node: Node, fingerprint: str, version: str) -> bool:
        record = runs.finished(self._project, version)
        return all(
            record.get(name) == fingerprint and self._is_saved(name, version)
            for name in node.outputs
        )

    def _is_saved(self, name: str, version: str) -> bool:
        dataset = self._catalog.get(name, version=Version(version, None))
        return dataset is not None and bool(dataset.exists())


def _is_data(name: str) -> bool:
    """Tell whether a node's input is a dataset that some node saves."""
    return not name.startswith("params:") and name not in ("parameters", PROVENANCE)


def _value(catalog: DataCatalog, name: str) -> Any:  # noqa: ANN401 (any parameter)
    """Return a parameter, with the names, sizes and times of the files that it names."""
    value = to_jsonable_python(catalog.load(name), fallback=str)
    if (key := FILES.get(name)) and (path := value[key]):
        return [value, sorted(_describe(Path(path).expanduser()))]
    return value


def _describe(path: Path) -> Iterable[tuple[str, int, int]]:
    for each in [path, *path.rglob("*")]:
        if each.is_file():
            status = each.stat()
            yield str(each), status.st_size, status.st_mtime_ns


@cache
def _code() -> str:
    """Return the sha256 of this package's code."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
