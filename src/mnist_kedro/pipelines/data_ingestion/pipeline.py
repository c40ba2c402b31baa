"""Wiring of stage 1."""

from kedro.pipeline import Node, Pipeline

from mnist_kedro.pipelines.data_ingestion.nodes import draw_sample_grid, ingest_images

IMAGES = ["train_images", "train_labels", "test_images", "test_labels"]
SAMPLED = ["train_images", "train_labels", "dataset_profile"]
NODES = [
    Node(
        ingest_images, "params:data_ingestion", [*IMAGES, "dataset_profile"], name="ingest_images"
    ),
    Node(draw_sample_grid, SAMPLED, "sample_grid", name="draw_sample_grid"),
]


def create_pipeline() -> Pipeline:
    """Return the pipeline from a source to raw files, their profile and a look at them."""
    return Pipeline(NODES)
