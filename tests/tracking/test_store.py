"""Where runs are tracked, what is said where they cannot be, and whether a database is whole."""

import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from mlflow import MlflowClient

from mnist_kedro.parameters import UserError
from mnist_kedro.tracking import TrackingHooks, store
from mnist_kedro.tracking.store import TrackingParameters, open_experiment

from .conftest import Run
from .conftest import store as store_in

PARAMETERS = TrackingParameters(enabled=True, uri=None, experiment="e", registered_model="m")
OPEN = """
import sys
from pathlib import Path
from mnist_kedro.tracking.store import TrackingParameters, open_experiment

folder, parameters = sys.argv[1:3]
"""
OPEN_IT = """
client, experiment = open_experiment(
    TrackingParameters.model_validate_json(parameters), Path(folder)
)
client.set_terminated(client.create_run(experiment).info.run_id)
"""
# Is killed instead of carrying out a statement.
KILLED = """
import os, signal
from itertools import count
from sqlalchemy import Engine, event

statements = count()

@event.listens_for(Engine, "before_cursor_execute")
def die(*_):
    if next(statements) == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
"""


def opening(folder, *more, code="", parameters=PARAMETERS):
    """Start a process that opens the experiment, makes a run and ends it."""
    command = [sys.executable, "-c", OPEN + code + OPEN_IT, folder, parameters.model_dump_json()]
    return subprocess.Popen([*command, *more], stderr=subprocess.PIPE, text=True)


def refused(project, **tracking):
    """Return the sentence with which a run ends before it begins."""
    with pytest.raises(UserError) as raised:
        Run(TrackingHooks(), project, **tracking).start()
    assert raised.value.__suppress_context__  # no traceback shows what MLflow says
    sentence = str(raised.value)
    assert "\n" not in sentence
    return sentence


def test_wrong_parameters_are_named(tmp_path):
    with pytest.raises(UserError, match="did you mean 'enabled'?"):
        Run(TrackingHooks(), tmp_path, enabld=True).start()


@pytest.mark.parametrize("scheme", ["http", "postgresql"])
def test_what_does_not_answer_is_named_without_its_password_and_leaves_nothing(
    tmp_path, free_port, scheme, monkeypatch
):
    project, temporary = tmp_path / "project", tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    address = f"127.0.0.1:{free_port}/runs"
    sentence = refused(project, uri=f"{scheme}://user:secret@{address}")
    expected = f"expected the experiment 'e' in MLflow at {scheme}://***@{address}, found: "
    assert sentence.startswith(expected)
    assert sentence.endswith("or add --params tracking.enabled=false")
    assert "secret" not in sentence
    assert {path.name for path in project.iterdir()} <= {"mlflow.db.lock"}
    assert list(temporary.iterdir()) == []


def test_a_server_that_hangs_is_given_up(tmp_path, monkeypatch):
    assert store.ANSWER_SECONDS <= 10
    monkeypatch.setattr(store, "ANSWER_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert "found: no server that answers within 0.1 s" in refused(tmp_path, uri=uri)


@contextmanager
def answering(status):
    """Run a server that answers all with this status; yields its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_POST = do_GET  # noqa: N815 (http.server's name)

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


@pytest.mark.parametrize("status", [403, 500])
def test_a_server_that_refuses_all_is_one_sentence_without_its_password(
    tmp_path, status, monkeypatch
):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with answering(status) as address:
        sentence = refused(tmp_path, uri=f"http://user:secret@{address}")
    assert str(status) in sentence
    assert "secret" not in sentence


@pytest.mark.parametrize("password", ["sec/ret", "sec@ret", "sec?ret", "sec#ret"])
@pytest.mark.parametrize("scheme", ["http", "postgresql+psycopg2"])
def test_an_address_with_a_password_that_is_not_quoted_is_refused_without_it(
    tmp_path, scheme, password
):
    parameters = PARAMETERS.model_copy(update={"uri": f"{scheme}://user:{password}@127.0.0.1/runs"})
    with pytest.raises(UserError, match="write @ as %40") as raised:
        open_experiment(parameters, tmp_path)
    assert "sec" not in str(raised.value)


@pytest.mark.parametrize(
    "uri",
    [
        "http://me:s%2Fe%40c@host:5000/path",
        "sqlite:////home/me@work/mlflow.db",
        "postgresql+psycopg2://me@host/runs?sslmode=require",
        "databricks",
    ],
)
def test_other_addresses_are_taken(uri):
    assert store.READABLE.fullmatch(uri)


def test_a_database_that_cannot_be_opened_is_one_sentence(tmp_path):
    (tmp_path / "mlflow.db").mkdir()
    assert "unable to open database file" in refused(tmp_path)


def test_the_environment_goes_before_the_file(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@here")
    parameters = PARAMETERS.model_copy(update={"uri": "http://elsewhere"})
    assert parameters.address(tmp_path) == "http://me:secret@here"
    assert parameters.way_there(tmp_path) == "http://***@here"


def test_an_experiment_that_was_deleted_is_one_sentence(tmp_path, database):
    parameters = PARAMETERS.model_copy(update={"uri": database, "experiment": "deleted"})
    client, experiment = open_experiment(parameters, tmp_path)
    client.delete_experiment(experiment)
    assert "must be in the 'active' state" in refused(tmp_path, uri=database, experiment="deleted")


@pytest.mark.slow
def test_four_first_runs_at_once_all_succeed(tmp_path):
    processes = [opening(tmp_path) for _ in range(4)]
    for process in processes:
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
    client, experiment = open_experiment(PARAMETERS, tmp_path)
    found = client.get_experiment(experiment)
    assert found.artifact_location == (tmp_path / "mlartifacts").as_uri()
    assert len(client.search_runs([experiment])) == 4
    assert "MLFLOW_TRACKING_URI" not in os.environ


@pytest.mark.slow
@pytest.mark.parametrize("statement", ["50", "800"])  # of 1,700
def test_kill_9_while_a_database_is_made_does_no_harm(tmp_path, statement):
    killed = opening(tmp_path, statement, code=KILLED)
    _, errors = killed.communicate(timeout=300)
    assert killed.returncode == -signal.SIGKILL, errors
    assert (tmp_path / "mlflow.db").exists()
    _, experiment = open_experiment(PARAMETERS, tmp_path)
    assert MlflowClient(store_in(tmp_path)).get_experiment(experiment).name == "e"
