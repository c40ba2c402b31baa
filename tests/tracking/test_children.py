import mlflow
import pandas as pd
import pytest
from mlflow import MlflowClient

from mnist_kedro.tracking.children import log_folds

from .conftest import store

pytestmark = pytest.mark.slow

SCORES = pd.DataFrame(
    {
        "candidate": ["cnn", "cnn", "mlp_64", "mlp_64"],
        "fold": [1, 2, 1, 2],
        "validation_accuracy": [0.98, 0.96, 0.75, 0.25],
    }
)


def test_folds_are_logged_with_their_candidate_which_may_have_no_run_yet(tmp_path):
    mlflow.set_tracking_uri(store(tmp_path))
    experiment = mlflow.create_experiment("mnist_kedro", (tmp_path / "artifacts").as_uri())
    client = MlflowClient()
    parent, cnn = (client.create_run(experiment, run_name=name).info.run_id for name in "pc")
    mlflow.set_experiment(experiment_id=experiment)
    log_folds(SCORES, {"cnn": cnn}, parent, {"python": "3"})
    runs = {run.info.run_name: run for run in client.search_runs([experiment])}
    assert set(runs) == {"p", "c", "mlp_64"}
    assert runs["mlp_64"].data.tags["mlflow.parentRunId"] == parent
    assert runs["c"].data.metrics == pytest.approx(
        {"fold_accuracy": 0.96, "fold_accuracy_mean": 0.97, "fold_accuracy_std": 0.0002**0.5}
    )
    points = client.get_metric_history(runs["mlp_64"].info.run_id, "fold_accuracy")
    assert [(point.step, point.value) for point in points] == [(1, 0.75), (2, 0.25)]
