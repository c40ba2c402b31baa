"""Runners beside Kedro's own: `kedro run --runner=mnist_kedro.runners.DaskRunner`."""

from mnist_kedro.runners.dask_runner import DaskRunner

__all__ = ["DaskRunner"]
