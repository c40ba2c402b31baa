"""Wiring of stage 6."""

from kedro.pipeline import Pipeline, node, pipeline

from mnist_kedro.pipelines.inference.nodes import predict_images


def create_pipeline() -> Pipeline:
    """Return the pipeline from the final model and images to predictions."""
    return pipeline(
        [
            node(
                predict_images,
                inputs=["final_model", "test_images", "params:inference"],
                outputs=["predictions", "prediction_confidence"],
                name="predict_images",
            )
        ]
    )
