"""Stage 3: fit and score each candidate."""

from mnist_kedro.pipelines.model_training.pipeline import create_pipeline

__all__ = ["create_pipeline"]
