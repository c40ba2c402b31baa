"""Which versions a run reads and writes: settled before its first node, whatever runs beside it.

Kedro looks for the latest version at each load. That may be what another run is just saving, or
what is left of a node that was killed between two of its outputs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeGuard

from kedro.framework.project import pipelines
from kedro.io import AbstractVersionedDataset, Version

from mnist_kedro.datasets.files import FileDataset

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kedro.io import DataCatalog
    from kedro.pipeline import Pipeline

    Versions = dict[str, str | None]


def pin_versions(
    pipeline: Pipeline,
    catalog: DataCatalog,
    run_id: str,
    asked: Mapping[str, str],
    *,
    only_missing: bool,
) -> Versions:
    """Let a run's catalog load and save fixed versions.

    An input is pinned to the latest version of which all outputs of the node that made it are
    saved, an output to the run's own. With `only_missing`, a node is finished if there is such a
    version of its outputs that is no older than its inputs; then its outputs are pinned to that.

    Args:
        pipeline: What runs.
        catalog: Of this run alone.
        run_id: The version under which it saves.
        asked: Versions to load that the user named, by dataset.
        only_missing: Whether finished nodes are left out (`--only-missing-outputs`).

    Returns:
        The version of each dataset; `None` for one without versions, or that is not there yet.
    """
    made_with = {
        name: node.outputs
        for each in pipelines.values()
        for node in each.nodes
        for name in node.outputs
    }
    versions: Versions = {
        name: asked.get(name) or latest_version(catalog, made_with.get(name, [name]))
        for name in pipeline.inputs()
        if not _is_parameter(name)
    }
    for node in pipeline.nodes:  # each after those whose outputs it reads
        finished = latest_version(catalog, node.outputs) if only_missing else None
        inputs = [versions[name] for name in node.inputs if versions.get(name)]
        is_finished = finished and all(str(version) <= finished for version in inputs)
        for name in node.outputs:
            own = finished if is_finished else run_id
            versions[name] = (asked.get(name) or own) if _is_versioned(catalog.get(name)) else None
    for name, version in versions.items():
        _pin(catalog, name, Version(version, run_id))
    return dict(sorted(versions.items()))


def latest_version(catalog: DataCatalog, names: Iterable[str]) -> str | None:
    """Return the latest version that all of these datasets have, without those that have none."""
    datasets = [catalog.get(name) for name in names]
    found = [set(each.list_versions(full_path=False)) for each in datasets if _is_versioned(each)]
    return max(set.intersection(*found), default=None) if found else None


def _is_parameter(name: str) -> bool:
    return name == "parameters" or name.startswith("params:")


def _is_versioned(dataset: object) -> TypeGuard[AbstractVersionedDataset[Any, Any]]:
    # Kedro gives a dataset without `versioned: true` no version to save.
    return (
        isinstance(dataset, AbstractVersionedDataset) and dataset.resolve_save_version() is not None
    )


def _pin(catalog: DataCatalog, name: str, version: Version) -> None:
    dataset = catalog.get(name)
    if not _is_versioned(dataset):
        return
    if isinstance(dataset, FileDataset):
        dataset.pin(version.load, version.save)
    elif name not in catalog.validators:  # to replace it would drop its validator
        catalog[name] = catalog.get(name, version=version)
