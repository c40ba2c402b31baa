"""What MLflow holds after a real run."""

import json
import re
import urllib.request
from pathlib import Path

import mlflow
import numpy as np
import pytest
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

from mnist_kedro.evaluation.metrics import accuracy_text, percent
from mnist_kedro.pipelines.data_ingestion.nodes import EMBEDDED_NAME

from .conftest import runs_in, serving, store

pytestmark = pytest.mark.slow

CANDIDATES = {"logistic_regression", "random_forest", "mlp_64", "mlp_128", "mlp_128_128", "cnn"}
ACCURACY = {f"accuracy{end}" for end in ("", "_low", "_high")}
SCORES = ACCURACY | {"macro_f1", "log_loss", "expected_calibration_error"}
COSTS = {
    *("model_bytes", "n_parameters", "fit_seconds", "fit_cpu_seconds"),
    *("predict_ms_per_image", "predict_ms_single_image"),
}
METRICS = COSTS | {f"validation_{name}" for name in SCORES} | {"confidence_threshold"}


@pytest.fixture(scope="module")
def folder(finished_project):
    return finished_project[0]


@pytest.fixture(scope="module")
def client(folder):
    return runs_in(store(folder))[0]


@pytest.fixture(scope="module")
def runs(folder):
    return runs_in(store(folder))[1]


@pytest.fixture(scope="module")
def load(folder):
    bootstrap_project(folder)
    with KedroSession.create(folder) as session:
        yield session.load_context().catalog.load


@pytest.fixture(autouse=True)
def _mlflow_store(folder, _environment, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store(folder))  # MLflow's own setter is for ever


def test_a_parent_with_a_child_per_candidate_and_final_model(runs):
    assert set(runs) == {"parent", "final_model"} | CANDIDATES
    parents = {run.data.tags.get("mlflow.parentRunId") for run in runs.values()}
    assert parents == {None, runs["parent"].info.run_id}
    assert {run.info.status for run in runs.values()} == {"FINISHED"}


def test_metrics_are_named_by_their_split_and_are_those_that_were_saved(runs, load):
    accuracy = {f"validation_{name}" for name in ACCURACY}
    expected = dict.fromkeys(CANDIDATES, METRICS)
    expected["final_model"] = {f"test_{name}" for name in SCORES} | accuracy | COSTS | {"n_test"}
    expected["parent"] = METRICS | {f"test_{name}" for name in ACCURACY}
    expected["random_forest"] = METRICS - {"n_parameters"}  # trees have no weights
    for name, run in runs.items():
        assert set(run.data.metrics) - {"train_loss", "train_accuracy"} == expected[name], name
    for name in CANDIDATES:
        saved = load(f"{name}.metrics")
        assert {key: runs[name].data.metrics[key] for key in expected[name]} == {
            key: round(saved[key], 6) for key in expected[name]
        }
    saved, logged = load("final_metrics")["test_accuracy"], runs["final_model"].data.metrics
    assert logged["test_accuracy"] == round(saved, 6)


def test_all_hyperparameters_also_those_that_no_file_names(runs):
    assert runs["logistic_regression"].data.params | {"penalty": ""} == {
        "estimator": "sklearn.linear_model.LogisticRegression",
        "transformers": "['mnist_kedro.classifiers.Deskew']",
        "seed": "0",
        "C": "0.05",
        "class_weight": "None",
        "dual": "False",
        "fit_intercept": "True",
        "intercept_scaling": "1",
        "l1_ratio": "0.0",
        "max_iter": "200",
        "n_jobs": "None",
        "penalty": "",  # depends on scikit-learn's version
        "random_state": "0",
        "solver": "lbfgs",
        "tol": "0.0001",
        "verbose": "0",
        "warm_start": "False",
    }
    assert runs["cnn"].data.params["network_options.channels"] == "[16, 32, 64]"
    assert runs["parent"].data.params["data_split.sample_size"] == "10000"
    champion = runs["final_model"].data.params
    reason = runs["parent"].data.tags["mlflow.note.content"]
    assert champion == runs[reason.partition(" ")[0]].data.params


def test_every_run_says_on_what_it_rests(runs, load, client):
    provenance = load("final_manifest")["provenance"]
    profile = load("dataset_profile")
    for run in runs.values():
        tags = run.data.tags
        assert tags["kedro_run_id"] == provenance["run_id"]
        assert (tags["pipeline"], tags["runner"]) == ("__default__", "SequentialRunner")
        assert tags["data"] == profile["name"] == EMBEDDED_NAME
        (data,) = run.inputs.dataset_inputs
        assert data.dataset.digest == profile["data_sha256"][:36]
    files = [
        Path(client.download_artifacts(runs["parent"].info.run_id, name))
        for name in ("environment.json", "provenance.json")
    ]
    environment, rest = (json.loads(file.read_text()) for file in files)
    assert environment.keys() == {"python", "packages"}
    assert environment | rest == provenance


def test_names_and_descriptions_say_what_came_out(runs, load):
    champion, metrics = load("champion"), load("final_metrics")
    name = f"{champion['candidate']} {percent(champion['validation_accuracy'])}"
    parent = runs["parent"]
    assert parent.info.run_name == f"{EMBEDDED_NAME} · 1,437 images · {name}"
    sentences, _, *table = parent.data.tags["mlflow.note.content"].splitlines()
    test = f"The final model reads {accuracy_text(metrics, 'test')} of 360 test images."
    assert sentences == f"{champion['reason']} {test}"
    board = load("leaderboard")
    shown = [line.split(" | ")[0].strip("| *") for line in table]
    assert shown == ["candidate", "---", *board["candidate"]]


def test_a_child_lasts_as_long_as_its_fit(runs):
    for name in CANDIDATES | {"final_model"}:
        info, seconds = runs[name].info, runs[name].data.metrics["fit_seconds"]
        assert info.end_time - info.start_time == pytest.approx(1000 * seconds, abs=1)
        assert runs["parent"].info.start_time <= info.start_time
        assert info.end_time <= runs["parent"].info.end_time


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("parent", {"dataset_profile.json", "sample_grid.png", "leaderboard.csv", "champion.json"}),
        ("cnn", {"history.csv", "report.png"}),
        ("final_model", {"final_report.png", "model_card.md", "manifest.json"}),
    ],
)
def test_figures_and_tables_are_the_files_that_were_saved(runs, client, folder, name, files):
    run = runs[name].info
    assert files <= {file.path for file in client.list_artifacts(run.run_id)}
    for file in files - {"manifest.json"}:
        pattern = f"data/**/{'cnn/' if name == 'cnn' else ''}{file}/*/{file}"
        (saved,) = folder.glob(pattern)
        logged = Path(client.download_artifacts(run.run_id, file))
        assert logged.read_bytes() == saved.read_bytes()


def test_the_final_model_alone_is_there_and_loads_with_signature_and_example(runs, load):
    assert [name for name in runs if runs[name].outputs.model_outputs] == ["final_model"]
    (output,) = runs["final_model"].outputs.model_outputs
    model = mlflow.pyfunc.load_model(f"models:/{output.model_id}")
    assert model.metadata.signature.inputs.to_dict()[0]["tensor-spec"] == {
        "dtype": "uint8",
        "shape": (-1, 28, 28),
    }
    assert model.input_example.shape == (2, 28, 28)
    requirements = Path(mlflow.pyfunc.get_model_dependencies(f"models:/{output.model_id}"))
    assert re.search(r"^torch==[\d.]+$", requirements.read_text(), re.MULTILINE)
    images = np.array(load("test_images")[:20])
    assert np.array_equal(model.predict(images), load("final_model").predict(images))


def test_mlflow_serves_the_champion_over_http(folder, load, free_port):
    images = np.array(load("test_images")[:5])
    model = ("mlflow", "models", "serve", "--model-uri", f"models:/{EMBEDDED_NAME}@champion")
    command = (*model, "--env-manager", "local", "--port", str(free_port))
    address = {"MLFLOW_TRACKING_URI": store(folder), "OMP_NUM_THREADS": "1"}
    with serving(command, free_port, folder, path="/ping", **address):
        request = urllib.request.Request(
            f"http://127.0.0.1:{free_port}/invocations",
            json.dumps({"inputs": images.tolist()}).encode(),
            {"Content-Type": "application/json"},
        )
        answer = json.load(urllib.request.urlopen(request))  # noqa: S310
    assert answer["predictions"] == load("final_model").predict(images).tolist()
