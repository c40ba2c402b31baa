"""Wiring of the extra pipeline."""

from kedro.pipeline import Pipeline, node, pipeline

from mnist_kedro.pipelines.tuning.nodes import chart_trials, search_networks


def create_pipeline() -> Pipeline:
    """Return the pipeline from the splits to the networks that were tried, as table and chart."""
    return pipeline(
        [
            node(
                search_networks,
                inputs=[
                    "train_images",
                    "train_labels",
                    "splits",
                    "dataset_profile",
                    "params:tuning",
                ],
                outputs="tuning_trials",
                name="search_networks",
            ),
            node(
                chart_trials,
                inputs="tuning_trials",
                outputs="tuning_chart",
                name="chart_trials",
            ),
        ]
    )
