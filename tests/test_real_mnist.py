"""The default run on the official files reaches what the README says, in the time it says."""

import pandas as pd
import pytest

pytestmark = pytest.mark.slow

FLOORS = {
    "logistic_regression": 0.895,
    "random_forest": 0.94,
    "mlp_64": 0.945,
    "mlp_128": 0.955,
    "mlp_128_128": 0.955,
    "cnn": 0.982,
}


def test_default_run(real_mnist, project, run_kedro):
    done = run_kedro(project, "run", f"--params=data_ingestion.source={real_mnist}", threads=None)
    assert done.returncode == 0, done.stderr
    assert "Candidates on MNIST" in done.stdout
    (file,) = project.glob("data/08_reporting/leaderboard.csv/*/leaderboard.csv")
    accuracy = pd.read_csv(file).set_index("candidate")["validation_accuracy"]
    assert {name: accuracy[name] for name, floor in FLOORS.items() if accuracy[name] < floor} == {}
    (file,) = project.glob("data/08_reporting/final_metrics.json/*/final_metrics.json")
    metrics = pd.read_json(file, typ="series")
    assert metrics["n_test"] == 10_000
    assert metrics["test_accuracy"] >= 0.992
