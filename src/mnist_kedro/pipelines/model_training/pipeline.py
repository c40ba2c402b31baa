"""Wiring of stage 3: one template, one namespace per candidate."""

from collections.abc import Iterable

from kedro.pipeline import Pipeline, node, pipeline

from mnist_kedro.evaluation.mistakes import report_mistakes
from mnist_kedro.pipelines.model_training.nodes import pool_folds, train_candidate, train_fold

DATA = ["train_images", "train_labels", "splits"]
SETTINGS = ["params:candidate", "params:model_training"]


def create_pipeline(candidates: Iterable[str], folds: int | None = None) -> Pipeline:
    """Return the pipeline that trains and reports on each of these candidates, in folds too."""
    template = pipeline(
        [
            node(
                train_candidate,
                inputs=[*DATA, "dataset_profile", *SETTINGS],
                outputs=["model", "history", "metrics", "validation_predictions"],
                name="train_candidate",
            ),
            node(
                report_mistakes,
                inputs=["validation_predictions", "train_images", "metrics"],
                outputs=["class_report", "confusion_matrix", "misread_digits"],
                name="report_mistakes",
            ),
        ]
    )
    parameters = {"params:model_training": "params:model_training"}
    numbers = range(1, folds + 1) if folds else range(0)
    if folds:
        template += _create_folds(numbers)
        parameters["params:data_split.folds"] = "params:data_split.folds"
    return sum(
        (
            pipeline(
                template,
                namespace=candidate,
                inputs={*DATA, "dataset_profile", *map(_splits, numbers)},
                parameters=parameters | {"params:candidate": f"params:candidates.{candidate}"},
            )
            for candidate in candidates
        ),
        pipeline([]),
    )


def _create_folds(numbers: Iterable[int]) -> Pipeline:
    """Return what the template has more of: a node per fold, which can run side by side."""
    fold = pipeline(
        [
            node(
                train_fold,
                inputs=[*DATA, "dataset_profile", *SETTINGS],
                outputs=["scores", "predictions"],
                name="train_fold",
                tags="folds",
            )
        ]
    )
    shared = {name: name for name in [*DATA, "dataset_profile"]}
    each = [
        pipeline(
            fold,
            namespace=f"fold_{n}",
            inputs=shared | {"splits": _splits(n)},
            parameters={*SETTINGS},
        )
        for n in numbers
    ]
    results = [f"fold_{n}.{result}" for n in numbers for result in ("scores", "predictions")]
    pool = node(
        pool_folds,
        inputs={name: name for name in ["metrics", "splits", *results]}
        | {"folds": "params:data_split.folds"},
        outputs=["pooled_metrics", "pooled_predictions"],
        name="pool_folds",
        tags="folds",
    )
    return sum(each, pipeline([pool]))


def _splits(number: int) -> str:
    """Return the name of the splits of a fold."""
    return f"fold_{number}_splits"
