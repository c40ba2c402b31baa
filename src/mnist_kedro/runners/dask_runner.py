"""Nodes on the workers of a Dask cluster, on this machine or on many."""

from __future__ import annotations

import logging
import os
from concurrent.futures import CancelledError, Executor, Future
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from kedro.framework import project
from kedro.io import DataCatalog, MemoryDataset, SharedMemoryDataset
from kedro.runner import AbstractRunner

from mnist_kedro.runners.local_cluster import start_cluster
from mnist_kedro.runners.on_worker import run_task
from mnist_kedro.runners.threads import RESOURCE, threads_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from distributed import Client
    from kedro.io import CatalogProtocol
    from kedro.pipeline import Pipeline
    from kedro.pipeline.node import Node
    from kedro.runner import Task
    from pluggy import PluginManager

ANSWER_SECONDS = 10  # within which a scheduler answers, or counts as out of reach


class DaskRunner(AbstractRunner):
    """Sends every node to a worker of a scheduler, or of a cluster that lives as long as the run.

    Nodes hand over what is saved in the catalog, never what is in memory. A node whose worker dies
    is run again by another.

    Args:
        address: Of a running scheduler, such as `tcp://host:8786`, whose workers each take one node
            at a time: `dask worker tcp://host:8786 --nthreads 1 --resources threads=1`. They need
            this project installed, and reach its data by the same names.
        max_workers: Of a cluster on this machine, if there is no address; as many as it has cores.
        threads: Which a node may use that has no tag such as `threads-2`, and which each worker of
            a cluster on this machine has.
        is_async: Whether a node loads its inputs, and saves its outputs, side by side.
    """

    def __init__(
        self,
        address: str | None = None,
        max_workers: int | None = None,
        threads: int = 1,
        is_async: bool = False,
    ) -> None:
        super().__init__(is_async=is_async)
        self._address = address
        self._max_workers = self._validate_max_workers(max_workers)
        self._threads = threads
        self._needed: dict[str, int] = {}  # threads by the names of nodes

    def _run(
        self,
        pipeline: Pipeline,
        catalog: CatalogProtocol[Any, Any],
        hook_manager: PluginManager | None = None,  # noqa: ARG002 (workers have their own)
        run_id: str | None = None,
    ) -> None:
        """Run a pipeline.

        Raises:
            ValueError: Nodes hand over data in memory, or no worker has threads enough.
            ConnectionError: The scheduler cannot be reached, or was lost.
            ChildProcessError: A node has killed several workers, one after another.
        """
        os.environ.setdefault("DASK_LOGGING__DISTRIBUTED", "error")  # here and in workers
        from distributed.scheduler import KilledWorker

        if not pipeline.nodes:  # --only-missing-outputs, and none is
            return
        _check_that_all_is_saved(pipeline, catalog)
        self._needed = {node.name: threads_of(node, self._threads) for node in pipeline.nodes}
        try:
            super()._run(pipeline, catalog, run_id=run_id)
        except CancelledError as error:
            raise ConnectionError(
                f"expected the scheduler {self._address or 'of this run'} to stay, lost it: start "
                f"it again; what is finished is saved"
            ) from error
        except KilledWorker as error:
            raise ChildProcessError(
                f"expected a worker to finish {error.task}, found {error.allowed_failures + 1} "
                f"that died of it: see their logs, most likely it needs more memory"
            ) from error

    @property
    def _logger(self) -> logging.Logger:
        """Return a logger below that of Kedro's runners, from which the progress is read."""
        return logging.getLogger("kedro.runner.dask_runner")

    def _get_required_workers_count(self, pipeline: Pipeline) -> int:
        """Return how many workers there can be something to do for."""
        side_by_side = len(pipeline.nodes) - len(pipeline.grouped_nodes) + 1
        return max(1, min(side_by_side, self._max_workers))

    def _get_executor(self, max_workers: int) -> Executor:
        from distributed import Client

        with ExitStack() as stack:
            address: Any = self._address or stack.enter_context(
                start_cluster(max_workers, self._threads)
            )
            try:
                client = stack.enter_context(
                    Client(address, timeout=ANSWER_SECONDS, set_as_default=False)
                )
            except (OSError, ValueError) as error:  # the latter: of what is no address
                raise ConnectionError(
                    f"expected a Dask scheduler at {self._address}, found none that answers within "
                    f"{ANSWER_SECONDS} s: start it with `dask scheduler`, or leave out the address"
                ) from error
            self._check_workers(client.scheduler_info()["workers"].values())
            return _Workers(client, self._needed, stack.pop_all())

    def _check_workers(self, workers: Iterable[Mapping[str, Any]]) -> None:
        """Make sure that nodes run one at a time in each process, and none waits for ever."""
        most = max(self._needed.values())
        found = [each["resources"].get(RESOURCE, 0) for each in workers if each["nthreads"] == 1]
        if max(found, default=0) < most:
            raise ValueError(
                f"expected a worker that was started with --nthreads 1 --resources "
                f"{RESOURCE}={most}, found {len(found) or 'none'} with --nthreads 1"
                + (f" and at most {max(found):g} {RESOURCE}" if found else "")
            )


class _Workers(Executor):
    """Gives Kedro's tasks to Dask, in the form in which workers take them."""

    def __init__(self, client: Client, threads: Mapping[str, int], until_end: ExitStack) -> None:
        self._executor = client.get_executor(pure=False)
        self._threads = threads
        self._until_end = until_end

    def submit(self, task: Task) -> Future[Node]:  # type: ignore[override]  # Kedro's only call
        node = task.node
        # The whole catalog would be sent with each node, and grow with their number.
        task.catalog = DataCatalog(
            {name: task.catalog[name] for name in node.inputs + node.outputs}
        )
        threads = self._threads[node.name]
        future: Future[Node] = self._executor.submit(
            *(run_task, project.PACKAGE_NAME, task, threads),
            key=f"{node.name}-{task.run_id}",
            resources={RESOURCE: threads},
        )
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002
        """Drop what has not begun and let go of the cluster."""
        self._executor.shutdown(wait=False)
        self._until_end.close()


def _check_that_all_is_saved(pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]) -> None:
    in_memory = [
        name
        for name in sorted(pipeline.all_outputs())
        if isinstance(catalog[name], MemoryDataset | SharedMemoryDataset)
    ]
    if in_memory:
        raise ValueError(
            f"expected every output of a node to be saved, found {', '.join(in_memory)} in memory, "
            f"which another process does not see: add catalog entries, or take another runner"
        )
