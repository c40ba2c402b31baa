"""Wiring of the extra pipeline."""

from collections.abc import Iterable

from kedro.pipeline import Node, Pipeline

from mnist_kedro.pipelines.test_all.nodes import test_candidates


def create_pipeline(candidates: Iterable[str]) -> Pipeline:
    """Return the pipeline from these candidates' models to their test accuracies."""
    results = [f"{name}.{result}" for name in candidates for result in ("model", "metrics")]
    inputs = {name: name for name in ["test_images", "test_labels", *results]}
    return Pipeline([Node(test_candidates, inputs, "test_leaderboard", name="test_candidates")])
