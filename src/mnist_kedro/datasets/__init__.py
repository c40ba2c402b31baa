"""Catalog entries of the project's own."""

from mnist_kedro.datasets.idx_dataset import IdxDataset
from mnist_kedro.datasets.markdown_dataset import MarkdownDataset
from mnist_kedro.datasets.model_dataset import ModelDataset

__all__ = ["IdxDataset", "MarkdownDataset", "ModelDataset"]
