"""Catalog entries of the project's own."""

from mnist_kedro.datasets.idx_dataset import IdxDataset
from mnist_kedro.datasets.text_dataset import TextDataset

__all__ = ["IdxDataset", "TextDataset"]
