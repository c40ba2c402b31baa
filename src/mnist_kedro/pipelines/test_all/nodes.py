"""Score every candidate on the test images, once, after all has been chosen."""

from __future__ import annotations

from typing import Any

from mnist_kedro.data.sources import verify_data
from mnist_kedro.evaluation.metrics import by_candidate, predict_labels, score_predictions
from mnist_kedro.lazy import NDArray, np, pd
from mnist_kedro.parameters import UserError

COLUMNS = ["candidate", "test_accuracy", "test_accuracy_low", "test_accuracy_high", "data"]


def test_candidates(
    test_images: NDArray[np.uint8],
    test_labels: NDArray[np.uint8],
    **results: Any,  # noqa: ANN401
) -> pd.DataFrame:
    """Score the candidates' models, which were fitted on the images of the split `train`.

    Args:
        test_images: `uint8 (n, 28, 28)`.
        test_labels: `uint8 (n,)`.
        results: `<candidate>.model` and `<candidate>.metrics` of each candidate.

    Returns:
        A row per candidate with `COLUMNS`, the most accurate first.

    Raises:
        UserError: A candidate was trained on images that were not ingested with these.
    """
    rows: list[dict[str, Any]] = []
    for name, model in by_candidate("model", results).items():
        metrics = results[f"{name}.metrics"]
        verify_data(metrics["sha256"], test_images=test_images, test_labels=test_labels)
        if rows and rows[0]["data"] != metrics["data"]:
            raise UserError(
                f"expected candidates trained on the same data, found {rows[0]['candidate']} on "
                f"{rows[0]['data']} and {name} on {metrics['data']}: run `kedro run` first"
            )
        predicted = predict_labels(model, test_images)
        scores = score_predictions(test_labels, *predicted, "test")
        rows.append({"candidate": name, "data": metrics["data"]} | scores)
    table = pd.DataFrame(rows, columns=COLUMNS)
    return table.sort_values("test_accuracy", ascending=False, kind="stable", ignore_index=True)
