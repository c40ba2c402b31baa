"""Runs that are tracked in a real PostgreSQL server."""

import pytest
from mlflow import MlflowClient

from .conftest import TRACKED, runs_in
from .postgresql import INITDB, PASSWORD, QUOTED, postgresql

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not INITDB, reason="PostgreSQL is not installed (apt-get install postgresql)"
    ),
]

CANDIDATES = {"logistic_regression", "random_forest", "mlp_64", "mlp_128", "mlp_128_128", "cnn"}


@pytest.fixture(scope="module")
def database():
    """Function that makes an empty database, and returns its address."""
    with postgresql() as make:
        yield make


def files_with(secret, folder):
    """Return the files of a folder that have these characters."""
    return [
        path
        for path in folder.rglob("*")
        if path.is_file() and secret.encode() in path.read_bytes()
    ]


def test_a_default_run_is_tracked(project, database, run_kedro, monkeypatch):
    uri = database("default")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    done = run_kedro(project, "run", "--params", TRACKED)
    assert done.returncode == 0, done.stderr
    client, runs = runs_in(uri)
    assert set(runs) == {"parent", "final_model", *CANDIDATES}
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    for run in runs.values():
        assert run.data.metrics["validation_accuracy"] > 0.8, run.info.run_name
    champion = client.get_model_version_by_alias("mnist_kedro", "champion")
    assert champion.run_id == runs["final_model"].info.run_id
    assert not (project / "mlflow.db").exists()


def test_runs_that_begin_at_once_on_an_empty_database_all_succeed(
    project, database, copy_project, start, tmp_path
):
    uri = database("fresh")
    folders = [project, project, *(copy_project(tmp_path / name) for name in ("second", "third"))]
    arguments = ("--pipelines=data_ingestion,data_split", "--params", TRACKED)
    processes = [start(folder, *arguments, MLFLOW_TRACKING_URI=uri) for folder in folders]
    for process in processes:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        assert "MLflow" not in errors
    client = MlflowClient(uri)
    (experiment,) = client.search_experiments(filter_string="name = 'mnist_kedro'")
    runs = client.search_runs([experiment.experiment_id])
    assert [run.info.status for run in runs] == ["FINISHED"] * len(folders)


def test_a_wrong_password_is_one_sentence_and_told_nowhere(
    project, database, run_kedro, monkeypatch
):
    wrong = database("refusing").replace(QUOTED, "wrong-s3cret")
    done = run_kedro(project, "run", "--params", f"{TRACKED},tracking.uri={wrong}")
    assert done.returncode == 1
    (sentence,) = [line for line in done.stderr.splitlines() if line.startswith("Error")]
    assert sentence.startswith("Error: expected the experiment 'mnist_kedro' in MLflow at postgres")
    assert "password authentication failed for user" in sentence
    assert "Traceback" not in done.stderr
    for secret in ("s3cret", PASSWORD, QUOTED):
        assert secret not in done.stdout + done.stderr
        assert files_with(secret, project) == []
