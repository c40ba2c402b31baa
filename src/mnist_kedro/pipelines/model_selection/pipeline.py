"""Wiring of stage 4."""

from collections.abc import Iterable

from kedro.pipeline import Pipeline, node, pipeline

from mnist_kedro.charts import chart_accuracy_against_cost, chart_learning_curves
from mnist_kedro.pipelines.model_selection.folds import compare_folds
from mnist_kedro.pipelines.model_selection.nodes import choose_champion, rank_candidates

PARAMETERS = {"parameters": "params:model_selection"}


def create_pipeline(candidates: Iterable[str], folds: int | None = None) -> Pipeline:
    """Return the pipeline from these candidates' results to the champion, and to charts of them.

    With folds, the champion is chosen by the same rule, on the images of all folds.
    """
    datasets = {"metrics": "metrics", "validation_predictions": "validation_predictions"}
    if folds:
        datasets = {"metrics": "pooled_metrics", "validation_predictions": "pooled_predictions"}
    metrics, predictions = (
        {f"{candidate}.{kind}": f"{candidate}.{dataset}" for candidate in candidates}
        for kind, dataset in datasets.items()
    )
    stage = pipeline(
        [
            node(
                rank_candidates,
                inputs=PARAMETERS | metrics | predictions,
                outputs="leaderboard",
                name="rank_candidates",
            ),
            node(
                choose_champion,
                inputs=PARAMETERS
                | {name: name for name in ["leaderboard", "provenance"]}
                | metrics,
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
    if not folds:
        return stage
    compare = node(
        compare_folds,
        inputs={"leaderboard": "leaderboard"} | metrics,
        outputs=["fold_scores", "fold_leaderboard"],
        name="compare_folds",
    )
    return pipeline([*stage.nodes, compare], tags="folds")
