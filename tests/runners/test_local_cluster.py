"""The cluster that a run starts for itself."""

import os

import pytest
from distributed import Client

from mnist_kedro.runners.local_cluster import start_cluster

pytestmark = pytest.mark.slow


def test_workers_leave_memory_to_malloc(monkeypatch):
    """With Dask's MALLOC_TRIM_THRESHOLD_, networks take half as much time more."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)  # which would go before
    with start_cluster(1, threads=2) as cluster, Client(cluster) as client:
        names = ("MALLOC_TRIM_THRESHOLD_", "OMP_NUM_THREADS")
        found = client.gather(client.map(os.getenv, names))
    assert found == [None, "2"]
