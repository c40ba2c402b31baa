"""Wiring of the cross-validation: a node per candidate, and one that compares them."""

from collections.abc import Iterable

from kedro.pipeline import Node, Pipeline

from mnist_kedro.pipelines.cross_validation.nodes import compare_folds, cross_validate_candidate

DATA = ["train_images", "train_labels", "splits", "dataset_profile"]
SHARED = ["params:cross_validation", "params:model_training.seed"]
RESULTS = ["fold_scores", "fold_predictions"]
TEMPLATE = Node(
    cross_validate_candidate,
    [*DATA, "params:candidate", *SHARED],
    RESULTS,
    name="cross_validate_candidate",
)


def create_pipeline(candidates: Iterable[str]) -> Pipeline:
    """Return the pipeline from the sample to the scores of these candidates in each fold."""
    each = [
        Pipeline(
            [TEMPLATE],
            namespace=candidate,
            inputs={*DATA},
            parameters={"params:candidate": f"params:candidates.{candidate}"}
            | {name: name for name in SHARED},
        )
        for candidate in candidates
    ]
    compare = Node(
        compare_folds,
        {f"{name}.{result}": f"{name}.{result}" for name in candidates for result in RESULTS},
        ["fold_scores", "fold_leaderboard"],
        name="compare_folds",
        namespace="cross_validation",
    )
    return Pipeline([*each, compare])
