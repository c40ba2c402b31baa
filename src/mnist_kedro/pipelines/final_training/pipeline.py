"""Wiring of stage 5."""

from kedro.pipeline import Pipeline, node, pipeline

from mnist_kedro.pipelines.final_training.nodes import (
    describe_final_model,
    fit_final_model,
    score_final_model,
)


def create_pipeline() -> Pipeline:
    """Return the pipeline from the champion to the final model and its one test score."""
    return pipeline(
        [
            node(
                fit_final_model,
                inputs=["champion", "train_images", "train_labels"],
                outputs=["final_model", "final_history"],
                name="fit_final_model",
            ),
            node(
                score_final_model,
                inputs=["final_model", "final_history", "champion", "test_images", "test_labels"],
                outputs=["final_metrics", "test_predictions"],
                name="score_final_model",
            ),
            node(
                describe_final_model,
                inputs=["champion", "final_metrics", "provenance"],
                outputs="final_manifest",
                name="describe_final_model",
            ),
        ]
    )
