"""Stage 4: choose the champion."""

from mnist_kedro.pipelines.model_selection.pipeline import create_pipeline

__all__ = ["create_pipeline"]
