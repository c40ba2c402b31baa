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
        The version of each dataset; `None` for one without versions.
    """
    made_with = {
        name: node.outputs
        for each in pipelines.values()
        for node in each.nodes
        for name in node.outputs
    }
    versions: Versions = {
        name: asked.get(name)
        or latest_version(catalog, made_with.get(name, [name]))
        or latest_version(catalog, [name])
        for name in pipeline.inputs()
        if name in catalog and not is_parameter(name)
    }
    # When the content of each dataset was made. What the user names counts as new: nothing that
    # was made of another version of it is finished.
    made = {name: run_id if name in asked else version or "" for name, version in versions.items()}
    for node in pipeline.nodes:  # each after those whose outputs it reads
        newest = max((made.get(name, "") for name in node.inputs), default="")
        finished = latest_version(catalog, node.outputs) if only_missing else None
        own = finished if finished and newest <= finished else run_id
        for name in node.outputs:
            has_versions = is_versioned(catalog.get(name))
            versions[name] = (asked.get(name) or own) if has_versions else None
            made[name] = own if has_versions else newest
    for name, version in versions.items():
        _pin(catalog, name, Version(version, run_id))
    return dict(sorted(versions.items()))


def latest_version(catalog: DataCatalog, names: Iterable[str]) -> str | None:
    """Return the latest version that all of these datasets have, without those that have none."""
    datasets = [catalog.get(name) for name in names]
    found = [set(each.list_versions(full_path=False)) for each in datasets if is_versioned(each)]
    return max(set.intersection(*found), default=None) if found else None


def is_parameter(name: str) -> bool:
    """Tell whether an input of a node is a parameter, or all of them."""
    return name == "parameters" or name.startswith("params:")


def is_versioned(dataset: object) -> TypeGuard[AbstractVersionedDataset[Any, Any]]:
    """Tell whether each save of a dataset is a version of its own."""
    # Kedro gives a dataset without `versioned: true` no version to save.
    return (
        isinstance(dataset, AbstractVersionedDataset) and dataset.resolve_save_version() is not None
    )


def _pin(catalog: DataCatalog, name: str, version: Version) -> None:
    dataset = catalog.get(name)
    if not is_versioned(dataset):
        return
    if isinstance(dataset, FileDataset):
        dataset.pin(version.load, version.save)
    elif name not in catalog.validators:  # to replace it would drop its validator
        catalog[name] = catalog.get(name, version=version)
