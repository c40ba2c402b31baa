import os
import socket

import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import pipeline
from mlflow.exceptions import MlflowException

from mnist_kedro.tracking import TrackingHooks, store
from mnist_kedro.tracking.store import TrackingParameters, in_a_hurry, open_experiment

from .conftest import refusing

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


@pytest.mark.parametrize("password", ["sec/ret", "sec@ret", "sec:r/et", "[secret"])
def test_an_address_with_a_password_that_is_not_quoted_is_refused_without_it(tmp_path, password):
    uri = f"postgresql://user:{password}@127.0.0.1/runs"
    with pytest.raises(
        ValueError, match=r"found 'postgresql://\*\*\*@127.*write @ as %40"
    ) as raised:
        open_experiment(parameters(uri=uri), tmp_path)
    assert "sec" not in str(raised.value)
    assert raised.value.__cause__ is raised.value.__context__ is None


@pytest.mark.parametrize("status", [403, 500])
def test_a_server_that_refuses_all_is_one_sentence_without_its_password(
    tmp_path, free_port, status, monkeypatch
):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    address = f"127.0.0.1:{free_port}"
    with refusing(free_port, status), pytest.raises(ConnectionError) as raised:
        open_experiment(parameters(uri=f"http://user:secret@{address}"), tmp_path)
    sentence = str(raised.value)
    assert sentence.startswith(
        f"expected the experiment 'digits' in MLflow at http://***@{address}"
    )
    assert str(status) in sentence
    assert "secret" not in sentence
    assert "\n" not in sentence
    assert raised.value.__suppress_context__  # no traceback shows what MLflow says


def test_a_server_that_takes_no_run_is_one_sentence(tmp_path, monkeypatch):
    def refuse(*_):
        raise MlflowException("http://user:secret@host says no\nand more")

    monkeypatch.setattr("mnist_kedro.tracking.run.TrackedRun.__init__", refuse)
    monkeypatch.setattr("mnist_kedro.tracking.hooks.open_experiment", lambda *_: "1")
    catalog = DataCatalog({"params:tracking": MemoryDataset(PARAMETERS)})
    hooks = TrackingHooks()
    with pytest.raises(ConnectionError, match=r"found: http://\*\*\*@host says no; change"):
        hooks.before_pipeline_run({"project_path": str(tmp_path)}, pipeline([]), catalog)
    hooks._end("FAILED")


def test_in_a_hurry_mlflow_asks_once_and_later_as_before(monkeypatch):
    for name in store.HURRY:
        monkeypatch.setenv(name, "77")
    with in_a_hurry():
        assert {name: os.environ[name] for name in store.HURRY} == store.HURRY
    assert {os.environ[name] for name in store.HURRY} == {"77"}


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
