"""Stage 2: which images train and which validate."""

from mnist_kedro.pipelines.data_split.pipeline import create_pipeline

__all__ = ["create_pipeline"]
