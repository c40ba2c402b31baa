"""Wiring of the cross-validation: a node per candidate, and one that compares them."""

from collections.abc import Iterable

from kedro.pipeline import Pipeline, node, pipeline

from mnist_kedro.pipelines.cross_validation.nodes import compare_folds, cross_validate_candidate

DATA = ["train_images", "train_labels", "splits", "dataset_profile"]
SHARED = ["params:cross_validation", "params:model_training.seed"]


def create_pipeline(candidates: Iterable[str]) -> Pipeline:
    """Return the pipeline from the sample to the scores of these candidates in each fold."""
    template = pipeline(
        [
            node(
                cross_validate_candidate,
                inputs=[*DATA, "params:candidate", *SHARED],
                outputs=["fold_scores", "fold_predictions"],
                name="cross_validate_candidate",
            )
        ]
    )
    each = [
        pipeline(
            template,
            namespace=candidate,
            inputs={*DATA},
            parameters={"params:candidate": f"params:candidates.{candidate}"}
            | {name: name for name in SHARED},
        )
        for candidate in candidates
    ]
    results = [name for one in each for name in sorted(one.outputs())]
    compare = node(
        compare_folds,
        inputs={name: name for name in results},
        outputs=["fold_scores", "fold_leaderboard"],
        name="compare_folds",
    )
    box = Pipeline([compare], namespace="cross_validation", prefix_datasets_with_namespace=False)
    return sum(each, box)
