"""A Dask cluster on this machine."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING

from mnist_kedro.runners.threads import RESOURCE, VARIABLES

if TYPE_CHECKING:
    from distributed import LocalCluster


def start_cluster(workers: int, threads: int = 1) -> LocalCluster:
    """Start a cluster on this machine; a context that ends it.

    Args:
        workers: How many, each a process that takes one node at a time.
        threads: Which each of them has.
    """
    import dask
    from distributed import LocalCluster

    settings = {
        # Not Dask's, by which malloc gives back at once what is freed: training asks for it again
        # at each step, and takes half as much time more.
        "distributed.nanny.pre-spawn-environ": dict.fromkeys(VARIABLES, threads),
        # It would take from workers the images that their next trial needs.
        "distributed.scheduler.active-memory-manager.start": False,
    }
    with dask.config.set(settings):
        return LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            resources={RESOURCE: threads},
            env={"TMPDIR": tempfile.gettempdir()},  # the run's, which is removed with it
            dashboard_address="127.0.0.1:0",
            memory_limit=None,
        )
