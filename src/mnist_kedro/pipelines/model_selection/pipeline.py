"""Wiring of stage 4."""

from collections.abc import Iterable

from kedro.pipeline import Pipeline, node, pipeline

from mnist_kedro.pipelines.model_selection.nodes import choose_champion, rank_candidates

PARAMETERS = {"parameters": "params:model_selection"}


def create_pipeline(candidates: Iterable[str]) -> Pipeline:
    """Return the pipeline from these candidates' results to the champion."""
    metrics = [f"{candidate}.metrics" for candidate in candidates]
    predictions = [f"{candidate}.validation_predictions" for candidate in candidates]
    return pipeline(
        [
            node(
                rank_candidates,
                inputs=PARAMETERS | {name: name for name in metrics + predictions},
                outputs="leaderboard",
                name="rank_candidates",
            ),
            node(
                choose_champion,
                inputs=PARAMETERS
                | {name: name for name in ["leaderboard", "provenance", *metrics]},
                outputs="champion",
                name="choose_champion",
            ),
        ]
    )
