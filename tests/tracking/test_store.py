import os
import socket

import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import pipeline

from mnist_kedro.tracking import TrackingHooks, store
from mnist_kedro.tracking.store import TrackingParameters, open_experiment

PARAMETERS = {"enabled": True, "uri": None, "experiment": "digits", "registered_model": "digits"}


def parameters(**changes):
    return TrackingParameters.model_validate(PARAMETERS | changes)


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "127.0.0.1")


def test_wrong_parameters_are_named():
    wrong = {"params:tracking": MemoryDataset({"enabld": True})}
    with pytest.raises(ValueError, match="did you mean 'enabled'?"):
        TrackingHooks().before_pipeline_run({}, pipeline([]), DataCatalog(wrong))


def test_a_server_that_refuses_is_named_with_what_to_do(tmp_path, free_port):
    uri = f"http://127.0.0.1:{free_port}"
    with pytest.raises(ConnectionError, match=f"database at {uri}, .*tracking.enabled=false"):
        open_experiment(parameters(uri=uri), tmp_path)


def test_a_database_that_refuses_is_named_without_its_password(tmp_path, free_port):
    uri = f"postgresql://user:secret@127.0.0.1:{free_port}/runs"
    with pytest.raises(ConnectionError, match=r"postgresql://\*\*\*@127.0.0.1") as raised:
        open_experiment(parameters(uri=uri), tmp_path)
    assert "secret" not in str(raised.value)


def test_a_database_that_cannot_be_opened_is_one_sentence(tmp_path):
    (tmp_path / "mlflow.db").mkdir()
    with pytest.raises(ConnectionError, match="expected the experiment 'digits' in MLflow at sql"):
        open_experiment(parameters(), tmp_path)


def test_a_server_that_hangs_is_given_up(tmp_path, monkeypatch):
    assert store.ANSWER_SECONDS <= 10
    monkeypatch.setattr(store, "ANSWER_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(ConnectionError, match="found none that answers"):
            open_experiment(parameters(uri=uri), tmp_path)


def test_the_environment_goes_before_the_file(tmp_path, monkeypatch, free_port):
    uri = f"http://127.0.0.1:{free_port}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    with pytest.raises(ConnectionError, match=uri):
        open_experiment(parameters(uri="http://elsewhere"), tmp_path)


@pytest.mark.slow
def test_an_experiment_that_was_deleted_is_one_sentence(tmp_path):
    from mlflow import MlflowClient

    experiment_id = open_experiment(parameters(), tmp_path)
    assert "MLFLOW_TRACKING_URI" not in os.environ  # or it would win over the next run's file
    MlflowClient().delete_experiment(experiment_id)
    with pytest.raises(ConnectionError, match="Cannot set a deleted experiment 'digits'"):
        open_experiment(parameters(), tmp_path)
