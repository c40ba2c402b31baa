"""Wiring of stage 2."""

from kedro.pipeline import Pipeline, node, pipeline

from mnist_kedro.pipelines.data_split.nodes import count_splits, split_folds, split_images


def create_pipeline(folds: int | None = None) -> Pipeline:
    """Return the pipeline from training labels to the tables of splits and folds, and counts."""
    stage = pipeline(
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
    if folds:
        fold = node(
            split_folds,
            inputs=["splits", "params:data_split"],
            outputs=[f"fold_{n}_splits" for n in range(1, folds + 1)],
            name="split_folds",
            tags="folds",
        )
        stage += pipeline([fold])
    return stage
