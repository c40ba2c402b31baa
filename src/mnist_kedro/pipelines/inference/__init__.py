"""Stage 6: predict the digits in anybody's images."""

from mnist_kedro.pipelines.inference.pipeline import create_pipeline

__all__ = ["create_pipeline"]
