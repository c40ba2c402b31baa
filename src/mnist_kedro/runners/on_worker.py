"""What a worker does with a node that it is sent."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from kedro.framework.project import configure_project
from kedro.io import AbstractVersionedDataset
from kedro.runner import Task

from mnist_kedro.runners.threads import limit_threads

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from kedro.io import CatalogProtocol
    from kedro.pipeline.node import Node
    from pluggy import PluginManager

# Tag of a node whose calls of joblib go to all workers. Those of others stay threads: a tree of a
# forest takes no longer to grow than to send.
SIDE_BY_SIDE = "side-by-side"


def run_task(package_name: str, task: Task, threads: int) -> Node:
    """Run a node of the project in this package; return it when its outputs are saved.

    Args:
        package_name: Its settings are read once, its hooks are called as in any process.
        task: The node, and a catalog of what it reads and saves.
        threads: How many it may use.
    """
    task.hook_manager = _hooks(package_name)
    limit_threads(threads)
    _remove_remains(task.node, task.catalog)
    try:
        with _joblib(threads, everywhere=SIDE_BY_SIDE in task.node.tags):
            return task.execute()
    except RecursionError as error:
        reason = str(error)
    # Without its traceback, too deep for Dask to send: the run would wait for ever.
    raise RecursionError(reason)


def _joblib(threads: int, everywhere: bool) -> AbstractContextManager[Any]:
    """Let joblib call on all workers, or in threads of this one: Dask's may have no processes."""
    from joblib import parallel_config

    from mnist_kedro.runners.side_by_side import SideBySide

    backend = SideBySide(threads) if everywhere else "threading"
    context: AbstractContextManager[Any] = parallel_config(backend)
    return context


@cache
def _hooks(package_name: str) -> PluginManager:
    """Return the hooks of the project and of Kedro's plugins: those of the run cannot be sent."""
    configure_project(package_name)
    hooks: PluginManager = Task._run_node_synchronization()
    return hooks


def _remove_remains(node: Node, catalog: CatalogProtocol[Any, Any]) -> None:
    """Remove what an earlier attempt has saved: its worker died, and Kedro overwrites no version.

    Nothing else can be there, since no two runs save the same version.
    """
    for name in node.outputs:
        dataset = catalog[name]
        if isinstance(dataset, AbstractVersionedDataset) and dataset._version:
            path = dataset._get_versioned_path(dataset._version.save)
            files = dataset._fs  # type: ignore[attr-defined]  # of each file dataset
            if files.exists(str(path.parent)):
                files.rm(str(path.parent), recursive=True)
