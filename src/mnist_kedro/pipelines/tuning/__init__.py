"""Extra: other depths and widths of network, accuracy against computation time."""

from mnist_kedro.pipelines.tuning.pipeline import create_pipeline

__all__ = ["create_pipeline"]
