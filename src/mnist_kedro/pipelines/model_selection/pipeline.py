"""Wiring of stage 4."""

from collections.abc import Sequence

from kedro.pipeline import Pipeline, node, pipeline

from mnist_kedro.evaluation.charts import chart_accuracy_against_cost, chart_learning_curves
from mnist_kedro.pipelines.model_selection.nodes import choose_champion, rank_candidates


def create_pipeline(candidates: Sequence[str]) -> Pipeline:
    """Return the pipeline from these candidates' results to the champion, and to charts of them."""
    metrics = [f"{candidate}.metrics" for candidate in candidates]
    predictions = [f"{candidate}.validation_predictions" for candidate in candidates]
    parameters = {"parameters": "params:model_selection"}
    return pipeline(
        [
            node(
                rank_candidates,
                inputs=parameters | _same([*metrics, *predictions]),
                outputs="leaderboard",
                name="rank_candidates",
            ),
            node(
                choose_champion,
                inputs=parameters | _same(["leaderboard", "provenance", *metrics]),
                outputs="champion",
                name="choose_champion",
            ),
            node(
                chart_accuracy_against_cost,
                inputs=["leaderboard", "params:model_selection.cost"],
                outputs="accuracy_against_cost",
                name="chart_accuracy_against_cost",
            ),
            node(
                chart_learning_curves,
                inputs={candidate: f"{candidate}.history" for candidate in candidates},
                outputs="learning_curves",
                name="chart_learning_curves",
            ),
        ]
    )


def _same(names: list[str]) -> dict[str, str]:
    """Return datasets whose names are also those of the arguments."""
    return {name: name for name in names}
