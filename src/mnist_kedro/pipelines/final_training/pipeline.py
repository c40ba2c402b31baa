"""Wiring of stage 5."""

from kedro.pipeline import Node, Pipeline

from mnist_kedro.evaluation.mistakes import report_mistakes
from mnist_kedro.pipelines.final_training import nodes
from mnist_kedro.pipelines.final_training.model_card import write_model_card
from mnist_kedro.pipelines.final_training.promotion import decide_promotion

TEST = ["test_images", "test_labels", "extra_test", "params:final_training"]
NOTE = "params:final_training.note"
REPORTED = ["test_predictions", "label_issues"]
NODES = [
    Node(
        nodes.find_extra_test,
        ["params:final_training", "dataset_profile"],
        "extra_test",
        name="find_extra_test",
    ),
    Node(
        nodes.train_final_model,
        ["champion", "train_images", "train_labels", "splits", *TEST],
        ["final_model", "final_history", "final_metrics", "test_predictions"],
        name="train_final_model",
    ),
    Node(
        nodes.export_final_model,
        ["final_model", "test_images"],
        ["final_onnx", "onnx_check"],
        name="export_final_model",
    ),
    Node(
        nodes.describe_final_model,
        ["champion", "final_model", "final_metrics", "onnx_check", "provenance"],
        "final_manifest",
        name="describe_final_model",
    ),
    Node(decide_promotion, ["final_manifest", "promotions"], "promotion", name="decide_promotion"),
    Node(
        report_mistakes,
        ["test_predictions", "test_images", "final_metrics"],
        "final_report",
        name="report_mistakes",
    ),
    Node(
        nodes.draw_reliability_diagram,
        "test_predictions",
        "reliability_diagram",
        name="draw_reliability_diagram",
    ),
    Node(
        nodes.find_label_issues,
        "test_predictions",
        "label_issues",
        name="find_label_issues",
    ),
    Node(
        write_model_card,
        ["champion", "final_metrics", *REPORTED, "train_labels", "provenance", NOTE],
        "model_card",
        name="write_model_card",
    ),
]


def create_pipeline() -> Pipeline:
    """Return the pipeline from the champion to the final model, its test score and its reports."""
    return Pipeline(NODES)
