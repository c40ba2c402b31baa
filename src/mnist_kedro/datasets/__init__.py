"""Catalog entries of the project's own."""

from mnist_kedro.datasets.idx_dataset import IdxDataset

__all__ = ["IdxDataset"]
