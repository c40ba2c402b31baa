"""Wiring of stage 2."""

from kedro.pipeline import Node, Pipeline

from mnist_kedro.pipelines.data_split.nodes import split_images

NODES = [Node(split_images, ["train_labels", "params:data_split"], "splits", name="split_images")]


def create_pipeline() -> Pipeline:
    """Return the pipeline from training labels to the table of splits."""
    return Pipeline(NODES)
