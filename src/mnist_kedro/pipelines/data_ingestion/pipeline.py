"""Wiring of stage 1."""

from kedro.pipeline import Pipeline, node, pipeline

from mnist_kedro.pipelines.data_ingestion.nodes import draw_sample_grid, ingest_images


def create_pipeline() -> Pipeline:
    """Return the pipeline from a source to raw files, their profile and a look at them."""
    return pipeline(
        [
            node(
                ingest_images,
                inputs="params:data_ingestion",
                outputs=[
                    "train_images",
                    "train_labels",
                    "test_images",
                    "test_labels",
                    "dataset_profile",
                ],
                name="ingest_images",
            ),
            node(
                draw_sample_grid,
                inputs=["train_images", "train_labels", "dataset_profile"],
                outputs="sample_grid",
                name="draw_sample_grid",
            ),
        ]
    )
