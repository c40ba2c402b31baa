"""Wiring of stage 2."""

from kedro.pipeline import Pipeline, node, pipeline

from mnist_kedro.pipelines.data_split.nodes import count_splits, split_images


def create_pipeline() -> Pipeline:
    """Return the pipeline from training labels to the table of splits, and their counts."""
    return pipeline(
        [
            node(
                split_images,
                inputs=["train_labels", "params:data_split"],
                outputs="splits",
                name="split_images",
            ),
            node(
                count_splits,
                inputs="splits",
                outputs="split_counts",
                name="count_splits",
            ),
        ]
    )
