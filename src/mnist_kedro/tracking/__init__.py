"""MLflow: a run per `kedro run`, with a child per candidate and final model."""

from mnist_kedro.tracking.hooks import TrackingHooks

__all__ = ["TrackingHooks"]
