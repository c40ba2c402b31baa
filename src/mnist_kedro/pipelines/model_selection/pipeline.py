"""Wiring of stage 4."""

from collections.abc import Iterable

from kedro.pipeline import Pipeline, node, pipeline
from kedro.pipeline.node import Node

from mnist_kedro.evaluation.charts import chart_accuracy_against_cost, chart_learning_curves
from mnist_kedro.pipelines.model_selection.folds import compare_folds
from mnist_kedro.pipelines.model_selection.nodes import choose_champion, rank_candidates

KINDS = ("metrics", "validation_predictions")
PARAMETERS = {"parameters": "params:model_selection"}
CHART = node(
    chart_accuracy_against_cost,
    inputs=["leaderboard", "params:model_selection.cost"],
    outputs="accuracy_against_cost",
    name="chart_accuracy_against_cost",
)


def create_pipeline(candidates: Iterable[str], folds: int | None = None) -> Pipeline:
    """Return the pipeline from these candidates' results to the champion, and to charts of them.

    With folds, the champion is chosen by the same rule, on the images of all folds.
    """
    sources = ("pooled_metrics", "pooled_predictions") if folds else KINDS
    metrics, predictions = (
        {f"{candidate}.{kind}": f"{candidate}.{source}" for candidate in candidates}
        for kind, source in zip(KINDS, sources, strict=True)
    )
    rank = node(
        rank_candidates,
        inputs=PARAMETERS | metrics | predictions,
        outputs="leaderboard",
        name="rank_candidates",
    )
    choose = node(
        choose_champion,
        inputs=PARAMETERS | {name: name for name in ["leaderboard", "provenance"]} | metrics,
        outputs="champion",
        name="choose_champion",
    )
    chart = node(
        chart_learning_curves,
        inputs={candidate: f"{candidate}.history" for candidate in candidates},
        outputs="learning_curves",
        name="chart_learning_curves",
    )
    stage = pipeline([rank, choose, CHART, chart])
    return pipeline([*stage.nodes, _compare_folds(metrics)], tags="folds") if folds else stage


def _compare_folds(metrics: dict[str, str]) -> Node:
    return node(
        compare_folds,
        inputs={"leaderboard": "leaderboard"} | metrics,
        outputs=["fold_scores", "fold_leaderboard"],
        name="compare_folds",
    )
