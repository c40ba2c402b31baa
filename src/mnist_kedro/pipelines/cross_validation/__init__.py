"""An experiment beside the stages: compare the candidates over the same folds."""

from mnist_kedro.pipelines.cross_validation.pipeline import create_pipeline

__all__ = ["create_pipeline"]
