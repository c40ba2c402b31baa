"""Wiring of stage 4."""

from collections.abc import Sequence

from kedro.pipeline import Node, Pipeline

from mnist_kedro.evaluation.charts import chart_accuracy_against_cost, chart_learning_curves
from mnist_kedro.pipelines.model_selection.nodes import choose_champion, rank_candidates


def create_pipeline(candidates: Sequence[str]) -> Pipeline:
    """Return the pipeline from these candidates' results to the champion, and to charts of them."""
    metrics = [f"{candidate}.metrics" for candidate in candidates]
    predictions = [f"{candidate}.validation_predictions" for candidate in candidates]
    parameters = {"parameters": "params:model_selection"}
    nodes = [
        Node(
            rank_candidates,
            parameters | {name: name for name in [*metrics, *predictions]},
            "leaderboard",
            name="rank_candidates",
        ),
        Node(
            choose_champion,
            parameters | {name: name for name in ["leaderboard", *metrics]},
            "champion",
            name="choose_champion",
        ),
        Node(
            chart_accuracy_against_cost,
            ["leaderboard", "params:model_selection.cost"],
            "accuracy_against_cost",
            name="chart_accuracy_against_cost",
        ),
        Node(
            chart_learning_curves,
            {candidate: f"{candidate}.history" for candidate in candidates},
            "learning_curves",
            name="chart_learning_curves",
        ),
    ]
    return Pipeline(nodes)
