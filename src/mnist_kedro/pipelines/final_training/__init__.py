"""Stage 5: refit the champion on all training images and score it once on the test set."""

from mnist_kedro.pipelines.final_training.pipeline import create_pipeline

__all__ = ["create_pipeline"]
