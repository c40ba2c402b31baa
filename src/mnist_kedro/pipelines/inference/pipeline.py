"""Wiring of stage 6."""

from kedro.pipeline import Node, Pipeline

from mnist_kedro.pipelines.inference.nodes import draw_contact_sheet, predict_images

IMAGES = ["test_images", "params:inference"]
NODES = [
    Node(
        predict_images,
        ["promotion", "final_models", "final_manifests", *IMAGES],
        ["predictions", "submission"],
        name="predict_images",
    ),
    Node(draw_contact_sheet, ["predictions", *IMAGES], "contact_sheet", name="draw_contact_sheet"),
]


def create_pipeline() -> Pipeline:
    """Return the pipeline from the champion and images to predictions."""
    return Pipeline(NODES)
