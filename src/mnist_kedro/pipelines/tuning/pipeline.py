"""Wiring of the extra pipeline."""

from kedro.pipeline import Node, Pipeline

from mnist_kedro.pipelines.tuning.nodes import chart_trials, search_networks

SEARCHED = ["train_images", "train_labels", "splits", "dataset_profile", "params:tuning"]
NODES = [
    Node(search_networks, SEARCHED, "tuning_trials", name="search_networks"),
    Node(chart_trials, "tuning_trials", "tuning_chart", name="chart_trials"),
]


def create_pipeline() -> Pipeline:
    """Return the pipeline from the splits to the networks that were tried, as table and chart."""
    return Pipeline(NODES)
