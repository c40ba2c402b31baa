"""Wiring of stage 3: one template, one namespace per candidate."""

from collections.abc import Iterable

from kedro.pipeline import Node, Pipeline

from mnist_kedro.evaluation.mistakes import report_mistakes
from mnist_kedro.pipelines.model_training.nodes import train_candidate

DATA = ["train_images", "train_labels", "splits", "dataset_profile"]
SHARED = "params:model_training"
TEMPLATE = [
    Node(
        train_candidate,
        [*DATA, "params:candidate", SHARED],
        ["model", "history", "metrics", "validation_predictions"],
        name="train_candidate",
    ),
    Node(
        report_mistakes,
        ["validation_predictions", "train_images", "metrics"],
        "report",
        name="report_mistakes",
    ),
]


def create_pipeline(candidates: Iterable[str]) -> Pipeline:
    """Return the pipeline that trains each of these candidates and reports on it."""
    return Pipeline(
        Pipeline(
            TEMPLATE,
            namespace=candidate,
            inputs={*DATA},
            parameters={"params:candidate": f"params:candidates.{candidate}", SHARED: SHARED},
        )
        for candidate in candidates
    )
