"""What a node calls by `joblib.Parallel`, on all workers of the cluster: the trials of a search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from joblib import parallel_config
from joblib._dask import DaskDistributedBackend

from mnist_kedro.runners.threads import limit_threads

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from joblib.parallel import BatchedCalls


class SideBySide(DaskDistributedBackend):
    """joblib's backend for Dask, whose calls keep to a number of threads, as nodes do.

    Args:
        threads: Which each call may use.
    """

    def __init__(self, threads: int) -> None:
        super().__init__()
        self._threads = threads

    def submit(
        self, func: BatchedCalls, callback: Callable[..., object] | None = None
    ) -> Future[Any]:
        """Send calls to whichever worker is free: that of the node, which waits, is, too."""
        func.items = [
            (_call, (self._threads, function, *arguments), options)
            for function, arguments, options in func.items
        ]
        future: Future[Any] = super().submit(func, callback)
        return future


def _call(threads: int, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 (any function)
    limit_threads(threads)
    with parallel_config("threading"):  # joblib would send what is called in it to the cluster, too
        return function(*arguments, **options)
