import mlflow
import pytest
from mlflow import MlflowClient

from mnist_kedro.tracking.children import log_folds

from .conftest import store

pytestmark = pytest.mark.slow

METRICS = {
    "folds": [
        {"fold": 1, "images": 4, "validation_accuracy": 0.98, "fit_seconds": 1.0},
        {"fold": 2, "images": 4, "validation_accuracy": 0.96, "fit_seconds": 2.0},
    ]
}


def test_folds_are_logged_one_by_one_and_together(tmp_path):
    mlflow.set_tracking_uri(store(tmp_path))
    experiment = mlflow.create_experiment("mnist_kedro", (tmp_path / "artifacts").as_uri())
    client = MlflowClient()
    run_id = client.create_run(experiment).info.run_id
    log_folds(run_id, METRICS)
    assert client.get_run(run_id).data.metrics == pytest.approx(
        {"fold_accuracy": 0.96, "fold_accuracy_mean": 0.97, "fold_accuracy_std": 0.0002**0.5}
    )
    points = client.get_metric_history(run_id, "fold_accuracy")
    assert [(point.step, point.value) for point in points] == [(1, 0.98), (2, 0.96)]
