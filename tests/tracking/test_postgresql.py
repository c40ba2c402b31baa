"""Runs that are tracked in a real PostgreSQL server."""

from contextlib import ExitStack, closing

import psycopg2
import pytest
from mlflow import MlflowClient
from sqlalchemy import MetaData, create_engine

from .conftest import ON, TRACKED, TWO, runs_in, wait_until
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


def everything_in(uri):
    """Return all rows of all tables as text."""
    engine, schema = create_engine(uri), MetaData()
    schema.reflect(engine)
    with engine.connect() as connection:
        return "".join(
            str(connection.execute(table.select()).all()) for table in schema.tables.values()
        )


def test_a_default_run_is_tracked_without_any_password(project, database, run_kedro, monkeypatch):
    uri = database("default")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    addresses = (
        "tracking.uri=https://me:hidden-1@host/,tuning.storage=postgresql://me:hidden-2@host/"
    )
    done = run_kedro(project, "run", "--params", f"{TRACKED},{addresses}")
    assert done.returncode == 0, done.stderr
    client, runs = runs_in(uri)
    assert set(runs) == {"parent", "final_model", *CANDIDATES}
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    for run in runs.values():
        assert run.data.metrics["validation_accuracy"] > 0.8, run.info.run_name
    champion = client.get_model_version_by_alias("mnist_kedro", "champion")
    assert champion.run_id == runs["final_model"].info.run_id
    assert not (project / "mlflow.db").exists()
    told = everything_in(uri) + done.stdout + done.stderr
    assert champion.run_id in told
    for secret in (PASSWORD, QUOTED, "hidden-"):
        assert secret not in told
        assert files_with(secret, project) == []


def test_runs_that_begin_at_once_on_an_empty_database_all_succeed(
    project, database, copy_project, start, tmp_path
):
    uri = database("fresh")
    folders = [project, project, *(copy_project(tmp_path / name) for name in ("second", "third"))]
    arguments = ("--pipelines=data_ingestion,data_split", "--params", TRACKED)
    processes = [start(folder, *arguments, MLFLOW_TRACKING_URI=uri) for folder in folders]
    for process in processes:
        _, errors = process.communicate(timeout=300)
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


def test_a_server_that_dies_while_the_second_candidate_trains_loses_nothing(used_project, start):
    slow = "candidates.mlp_64.hyperparameters.epochs=150"
    metrics = "mlp_64/metrics.json/*/metrics.json"
    before = set((used_project / "data").rglob(metrics))
    with ExitStack() as stack:
        uri = stack.enter_context(postgresql())("dying")
        process = start(used_project, *TWO, f"{ON},{slow}", MLFLOW_TRACKING_URI=uri)
        wait_until(lambda: has_the_first(uri))
        stack.close()
        _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    (warning,) = [line for line in errors.splitlines() if " INFO " not in line]
    assert "WARNING MLflow does not take what this run logs" in warning
    assert len(set((used_project / "data").rglob(metrics)) - before) == 1


def has_the_first(uri):
    """Whether a run is logged; MLflow's client would join in making the tables."""
    with closing(psycopg2.connect(uri.replace("+psycopg2", ""))) as connection:
        cursor = connection.cursor()
        try:
            cursor.execute("SELECT 1 FROM runs WHERE status = 'FINISHED'")
        except psycopg2.errors.UndefinedTable:
            return False
        return cursor.fetchone() is not None
