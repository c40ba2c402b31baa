"""Wiring of stage 6."""

from kedro.pipeline import Pipeline, node, pipeline

from mnist_kedro.pipelines.inference.nodes import draw_contact_sheet, predict_images


def create_pipeline() -> Pipeline:
    """Return the pipeline from the final model and images to predictions."""
    return pipeline(
        [
            node(
                predict_images,
                inputs=["final_model", "final_manifest", "test_images", "params:inference"],
                outputs=["predictions", "submission"],
                name="predict_images",
            ),
            node(
                draw_contact_sheet,
                inputs=["predictions", "test_images", "params:inference"],
                outputs="contact_sheet",
                name="draw_contact_sheet",
            ),
        ]
    )
