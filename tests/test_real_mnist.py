"""The default run on the official files reaches what the README says, and MLflow has it all."""

import hashlib
import json
import pickle

import mlflow
import numpy as np
import pandas as pd
import pytest

from mnist_kedro.formats.idx import read_idx

pytestmark = pytest.mark.slow

FLOORS = {
    "logistic_regression": 0.895,
    "random_forest": 0.94,
    "mlp_64": 0.945,
    "mlp_128": 0.955,
    "mlp_128_128": 0.955,
    "cnn": 0.982,
}


@pytest.fixture(scope="module")
def tracked(real_mnist, tmp_path_factory, copy_project, run_kedro):
    """A project after a default run that was tracked, and what it printed."""
    folder = copy_project(tmp_path_factory.mktemp("real") / "project")
    parameters = f"data_ingestion.source={real_mnist},tracking.enabled=true"
    done = run_kedro(folder, "run", "--params", parameters)
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


@pytest.fixture(scope="module")
def only(tracked):
    """Function that returns the one file of this name, in its one version."""
    folder, _ = tracked

    def find(name):
        (path,) = (folder / "data").glob(f"*/{name}/*/{name.rpartition('/')[2]}")
        return path

    return find


def test_accuracy_reaches_its_floors(tracked, only):
    assert "Candidates on MNIST" in tracked[1]
    accuracy = pd.read_csv(only("leaderboard.csv")).set_index("candidate")["validation_accuracy"]
    assert {name: accuracy[name] for name, floor in FLOORS.items() if accuracy[name] < floor} == {}
    metrics = pd.read_json(only("final_metrics.json"), typ="series")
    assert metrics["n_test"] == 10_000
    assert metrics["test_accuracy"] >= 0.992


def test_the_registered_champion_predicts_as_the_final_model_does(tracked, only, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")  # where MLflow writes what follows
    mlflow.set_tracking_uri(f"sqlite:///{tracked[0] / 'mlflow.db'}")
    images = np.array(read_idx(only("t10k-images-idx3-ubyte"), (28, 28)))
    final_model = pickle.loads(only("final_model/model.pkl").read_bytes())
    registered = mlflow.pyfunc.load_model("models:/mnist_kedro@champion")
    assert np.array_equal(registered.predict(images), final_model.predict(images))
    assert len(images) == 10_000


def test_the_onnx_export_reads_every_test_image_as_the_final_model_does(only):
    manifest = json.loads(only("final_model/manifest.json").read_text())
    exported = only("final_model/model.onnx").read_bytes()
    assert manifest["onnx"]["sha256"] == hashlib.sha256(exported).hexdigest()
    assert (manifest["onnx"]["compared"], manifest["onnx"]["different_labels"]) == (10_000, 0)
    assert manifest["onnx"]["largest_probability_difference"] < 1e-5
