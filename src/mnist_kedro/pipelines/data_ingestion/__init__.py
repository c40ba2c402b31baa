"""Stage 1: a source becomes verified, versioned IDX files, looked at."""

from mnist_kedro.pipelines.data_ingestion.pipeline import create_pipeline

__all__ = ["create_pipeline"]
