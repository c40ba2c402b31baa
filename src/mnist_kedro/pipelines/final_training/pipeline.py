"""Wiring of stage 5."""

from kedro.pipeline import Pipeline, node, pipeline

from mnist_kedro.evaluation.mistakes import report_mistakes
from mnist_kedro.pipelines.final_training.extra_test import find_extra_test
from mnist_kedro.pipelines.final_training.model_card import write_model_card
from mnist_kedro.pipelines.final_training.nodes import (
    describe_final_model,
    draw_reliability_diagram,
    export_final_model,
    find_suspected_labels,
    fit_final_model,
    score_final_model,
)

NODES = [
    node(
        find_extra_test,
        inputs=["params:final_training", "dataset_profile"],
        outputs="extra_test",
        name="find_extra_test",
    ),
    node(
        fit_final_model,
        inputs=["champion", "train_images", "train_labels", "splits"],
        outputs=["final_model", "final_history"],
        name="fit_final_model",
    ),
    node(
        score_final_model,
        inputs=[
            "final_model",
            "final_history",
            "champion",
            "test_images",
            "test_labels",
            "extra_test",
            "params:final_training",
        ],
        outputs=["final_metrics", "test_predictions"],
        name="score_final_model",
    ),
    node(
        export_final_model,
        inputs=["final_model", "test_images"],
        outputs=["final_onnx", "onnx_check"],
        name="export_final_model",
    ),
    node(
        describe_final_model,
        inputs=["champion", "final_model", "final_metrics", "onnx_check", "provenance"],
        outputs="final_manifest",
        name="describe_final_model",
    ),
    node(
        report_mistakes,
        inputs=["test_predictions", "test_images", "final_metrics"],
        outputs=["final_class_report", "confusion_matrix", "misread_digits"],
        name="report_mistakes",
    ),
    node(
        draw_reliability_diagram,
        inputs="test_predictions",
        outputs="reliability_diagram",
        name="draw_reliability_diagram",
    ),
    node(
        find_suspected_labels,
        inputs="test_predictions",
        outputs="suspected_labels",
        name="find_suspected_labels",
    ),
    node(
        write_model_card,
        inputs=[
            "champion",
            "final_metrics",
            "final_class_report",
            "test_predictions",
            "suspected_labels",
            "train_labels",
            "provenance",
        ],
        outputs="model_card",
        name="write_model_card",
    ),
]


def create_pipeline() -> Pipeline:
    """Return the pipeline from the champion to the final model, its test score and its reports."""
    return pipeline(NODES)
