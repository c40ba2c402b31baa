"""Wiring of stage 3: one template, one namespace per candidate."""

from collections.abc import Iterable

from kedro.pipeline import Pipeline, node, pipeline

from mnist_kedro.evaluation.mistakes import report_mistakes
from mnist_kedro.pipelines.model_training.nodes import train_candidate

DATA = ["train_images", "train_labels", "splits", "dataset_profile"]


def create_pipeline(candidates: Iterable[str]) -> Pipeline:
    """Return the pipeline that trains each of these candidates and reports on it."""
    template = pipeline(
        [
            node(
                train_candidate,
                inputs=[*DATA, "params:candidate", "params:model_training"],
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
    each = [
        pipeline(
            template,
            namespace=candidate,
            inputs={*DATA},
            parameters={
                "params:candidate": f"params:candidates.{candidate}",
                "params:model_training": "params:model_training",
            },
        )
        for candidate in candidates
    ]
    return sum(each, Pipeline([]))
