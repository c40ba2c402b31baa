"""Run each node on a worker of a Dask cluster, on this machine or on many."""

from __future__ import annotations

import logging
import os
from concurrent.futures import CancelledError, Executor, Future
from contextlib import ExitStack
from functools import cache
from typing import TYPE_CHECKING, Any

from kedro.framework import project

# Underscored, but this is how Kedro's documentation makes hooks on a Dask worker.
from kedro.framework.hooks.manager import (
    _create_hook_manager,
    _register_hooks,
    _register_hooks_entry_points,
)
from kedro.io import MemoryDataset
from kedro.runner import AbstractRunner

from mnist_kedro.parameters import UserError

if TYPE_CHECKING:
    from distributed import Client, LocalCluster
    from kedro.io import CatalogProtocol
    from kedro.pipeline import Pipeline
    from kedro.pipeline.node import Node
    from kedro.runner import Task
    from pluggy import PluginManager

CONNECT_SECONDS = 5  # how long to wait for a scheduler's answer


class DaskRunner(AbstractRunner):
    """Send each node to a Dask worker.

    Nodes exchange data through files only, because workers do not share memory. Dask repeats a node
    on another worker if its worker dies.

    Args:
        address: Address of a running scheduler, such as `tcp://host:8786`. Start its workers with
            `dask worker tcp://host:8786 --nthreads 1`. They need this project installed and must
            reach its data by the same paths. Without an address, the run starts a cluster on this
            machine and stops it at its end.
        max_workers: Most workers of a cluster on this machine; by default one per core.
        is_async: Whether to load a node's inputs, and save its outputs, in parallel threads.

    Raises:
        UserError: `max_workers` is not positive.
    """

    def __init__(
        self, address: str | None = None, max_workers: int | None = None, is_async: bool = False
    ) -> None:
        super().__init__(is_async=is_async)
        if max_workers is not None and max_workers < 1:
            raise UserError(f"expected max_workers to be 1 or more, found {max_workers}")
        self._address = address
        self._max_workers = max_workers or os.cpu_count() or 1

    def _run(
        self,
        pipeline: Pipeline,
        catalog: CatalogProtocol[Any, Any],
        hook_manager: PluginManager | None = None,  # noqa: ARG002 (each worker makes its own)
        run_id: str | None = None,
    ) -> None:
        """Run a pipeline, as Kedro's own runners do, on the executor below.

        Raises:
            UserError: The output of a node stays in memory, or no scheduler answers.
            ConnectionError: The scheduler stopped during the run.
            distributed.KilledWorker: Several workers died while they ran the same node.
        """
        if not pipeline.nodes:  # `--only-missing-outputs` found nothing to do
            return
        _refuse_outputs_in_memory(pipeline, catalog)
        try:
            super()._run(pipeline, catalog, run_id=run_id)
        except CancelledError as error:
            raise ConnectionError(
                f"lost the Dask scheduler {self._address or 'of this run'}: start it again, then "
                f"repeat the run with --only-missing-outputs"
            ) from error

    def _get_required_workers_count(self, pipeline: Pipeline) -> int:
        """Return how many nodes can run at the same time, or `max_workers` if that is less."""
        at_once = len(pipeline.nodes) - len(pipeline.grouped_nodes) + 1
        return min(at_once, self._max_workers)

    def _get_executor(self, max_workers: int) -> Executor:
        return _DaskExecutor(self._address, max_workers)


class _DaskExecutor(Executor):
    """A connection to a scheduler that takes Kedro's tasks.

    Args:
        address: Address of the scheduler; without one, a cluster starts on this machine.
        workers: Number of workers of that cluster.

    Raises:
        UserError: No scheduler answers.
    """

    def __init__(self, address: str | None, workers: int) -> None:
        with ExitStack() as stack:
            if not address:
                address = stack.enter_context(_start_cluster(workers)).scheduler_address
            client = stack.enter_context(_connect(address))
            self._executor = client.get_executor(pure=False)
            self._connections = stack.pop_all()

    def submit(self, task: Task) -> Future[Node]:  # type: ignore[override]  # as Kedro calls it
        """Send a node with its catalog to a worker."""
        key = f"{task.node.name}-{task.run_id}"  # by this name Dask reports it
        future: Future[Node] = self._executor.submit(
            _run_on_worker, project.PACKAGE_NAME, task, key=key
        )
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002
        """Cancel what is not finished: a run that fails waits for no other node."""
        self._executor.shutdown(wait=False)
        self._connections.close()


def _start_cluster(workers: int) -> LocalCluster:
    """Start workers with one thread each on this machine; the context stops them."""
    import dask
    from distributed import LocalCluster

    # Dask reports every step of its own, and logs the errors of nodes that are raised anyway.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    environment = {"DASK_LOGGING__DISTRIBUTED": "critical", "OMP_NUM_THREADS": 1}
    # By default malloc would return memory at once there: networks train 1.6 times slower so.
    with dask.config.set({"distributed.nanny.pre-spawn-environ": environment}):
        return LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            memory_limit=None,  # or Dask kills a worker that uses more than its share
            dashboard_address="127.0.0.1:0",
        )


def _connect(address: str) -> Client:
    """Connect to a scheduler; the context disconnects.

    Raises:
        UserError: None answers at this address.
    """
    from distributed import Client
    from distributed.comm.addressing import get_address_host_port

    try:
        get_address_host_port(address)  # a client with a malformed address hangs when it is deleted
        return Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise UserError(
            f"expected a Dask scheduler at {address}, found none that answers within "
            f"{CONNECT_SECONDS} s: start one with `dask scheduler`, or leave out the address"
        ) from error


def _run_on_worker(package_name: str | None, task: Task) -> Node:
    """Run a node with the project's hooks; return it when its outputs are saved."""
    task.hook_manager = _hooks(package_name)  # the run's own cannot be sent
    try:
        return task.execute()
    except RecursionError as error:
        reason = str(error)
    # Without its traceback: that is too deep for Dask to send, and the run would wait for ever.
    raise RecursionError(reason)


@cache
def _hooks(package_name: str | None) -> PluginManager:
    """Configure the project in this process; return its hooks and those of Kedro's plugins."""
    if package_name:
        project.configure_project(package_name)
    hooks = _create_hook_manager()
    _register_hooks(hooks, project.settings.HOOKS)
    _register_hooks_entry_points(hooks, project.settings.DISABLE_HOOKS_FOR_PLUGINS)
    return hooks


def _refuse_outputs_in_memory(pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]) -> None:
    names = [
        name for name in sorted(pipeline.all_outputs()) if isinstance(catalog[name], MemoryDataset)
    ]
    if names:
        raise UserError(
            f"expected the catalog to save every output, found {', '.join(names)} in memory, which "
            f"workers do not share: add catalog entries, or use another runner"
        )
