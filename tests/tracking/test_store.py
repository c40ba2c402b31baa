"""Where runs are tracked, what is said where they cannot be, and whether a database is whole."""

import multiprocessing
import os
import signal
import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count

import pytest
from sqlalchemy import Engine, MetaData, create_engine, event

from mnist_kedro.parameters import UserError
from mnist_kedro.tracking import TrackingHooks, store
from mnist_kedro.tracking.store import ENVIRONMENT, TrackingParameters, open_experiment, open_store

from .conftest import ALL, FINISHED, Run, runs_in, serving, statuses
from .postgresql import INITDB, PASSWORD, QUOTED, postgresql

PARAMETERS = TrackingParameters(
    enabled=True, models="final", uri=None, experiment="e", registered_model="m"
)


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
    tmp_path, free_port, scheme
):
    project = tmp_path / "project"
    address = f"127.0.0.1:{free_port}/runs"
    sentence = refused(project, uri=f"{scheme}://user:secret@{address}")
    expected = f"expected to reach MLflow at {scheme}://***@{address}, found: "
    assert sentence.startswith(expected)
    assert sentence.endswith("or add --params tracking.enabled=false")
    assert "secret" not in sentence
    assert {path.name for path in project.iterdir()} <= {"mlflow.db.lock"}


def test_a_server_that_hangs_is_given_up(tmp_path, monkeypatch):
    assert store.ANSWER_SECONDS <= 10
    retries, seconds = (
        int(ENVIRONMENT[f"MLFLOW_HTTP_REQUEST_{n}"]) for n in ("MAX_RETRIES", "TIMEOUT")
    )
    assert (1 + retries) * seconds <= 30
    monkeypatch.setattr(store, "ANSWER_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert "found: no answer in 0.1 seconds;" in refused(tmp_path, uri=uri)


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
def test_a_password_that_is_not_quoted_is_refused_and_not_told(tmp_path, password):
    with pytest.raises(UserError, match="write @ as %40") as raised:
        Run(TrackingHooks(), tmp_path, uri=f"postgresql://user:{password}@127.0.0.1/runs").start()
    assert "sec" not in str(raised.value)


def test_the_environment_goes_before_the_file(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@here")
    parameters = PARAMETERS.model_copy(update={"uri": "http://elsewhere"})
    assert parameters.address(tmp_path) == "http://me:secret@here"


def test_an_experiment_that_was_deleted_is_one_sentence(tmp_path, database):
    parameters = PARAMETERS.model_copy(update={"uri": database, "experiment": "deleted"})
    client = open_store(parameters, tmp_path)
    client.delete_experiment(open_experiment(client, "deleted", tmp_path))
    assert "must be in the 'active' state" in refused(tmp_path, uri=database, experiment="deleted")


def open_and_run(folder):
    client = open_store(PARAMETERS, folder)
    experiment = open_experiment(client, "e", folder)
    client.set_terminated(client.create_run(experiment).info.run_id)


def open_and_die(folder):
    """Make half a database: 800 of its 1,700 statements."""
    statements = count()

    @event.listens_for(Engine, "before_cursor_execute")
    def die(*_):
        if next(statements) == 800:
            os.kill(os.getpid(), signal.SIGKILL)

    open_and_run(folder)


@pytest.mark.slow
def test_four_runs_at_once_succeed_where_the_first_one_was_killed_while_it_made_the_database(
    tmp_path,
):
    fork = multiprocessing.get_context("fork")  # MLflow is imported already
    killed = fork.Process(target=open_and_die, args=(tmp_path,))
    killed.start()
    killed.join()
    assert killed.exitcode == -signal.SIGKILL
    assert not (tmp_path / "mlflow.db").exists()
    processes = [fork.Process(target=open_and_run, args=(tmp_path,)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    client = open_store(PARAMETERS, tmp_path)
    experiment = open_experiment(client, "e", tmp_path)
    found = client.get_experiment(experiment)
    assert found.artifact_location == (tmp_path / "mlartifacts").as_uri()
    assert len(client.search_runs([experiment])) == 4


@pytest.mark.slow
def test_a_server_gets_all_and_a_run_goes_on_when_it_dies(
    tmp_path, free_port, monkeypatch, capsys, caplog
):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    uri = f"http://me:secret@127.0.0.1:{free_port}"
    command = ("mlflow", "server", "--backend-store-uri", "sqlite:///server.db", "--workers", "1")
    with serving((*command, "--port", str(free_port)), free_port, tmp_path):
        run = Run(TrackingHooks(), tmp_path / "project", uri=uri).start()
        run.save(*ALL)
        run.finish()
        address = f"http://127.0.0.1:{free_port}/#/experiments/1/runs"  # without its password
        view = "?workflowType=machine_learning&viewStateShareKey=candidates"
        assert capsys.readouterr().out == f"MLflow    {address}{view}\n"
        assert statuses(uri, "e") == FINISHED
        client, runs = runs_in(uri, "e")
        files = client.list_artifacts(runs["tiny"].info.run_id)
        assert [file.path for file in files] == ["report.csv"]
        registered = client.get_model_version_by_alias("m", "champion")
        assert registered.run_id == runs["final_model"].info.run_id
        (output,) = runs["final_model"].outputs.model_outputs
        files = client.list_logged_model_artifacts(output.model_id)
        assert "MLmodel" in {file.path for file in files}
        dying = Run(TrackingHooks(), tmp_path / "project", "later", uri=uri).start()
    dying.save("train")
    dying.save(*ALL[1:])
    dying.finish()
    (record,) = [each for each in caplog.records if each.name == "mnist_kedro.tracking.hooks"]
    assert "it goes on untracked" in record.getMessage()
    assert "secret" not in record.getMessage()
    assert record.exc_info in (None, False)
    assert capsys.readouterr().out == ""
    assert [path.name for path in (tmp_path / "project").iterdir()] == []


@pytest.mark.slow
@pytest.mark.skipif(not INITDB, reason="PostgreSQL is not installed (apt-get install postgresql)")
def test_a_run_is_tracked_in_postgresql_and_no_password_is_told(tmp_path, monkeypatch, capsys):
    with postgresql() as make:
        uri = make("fresh")
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        run = Run(TrackingHooks(), tmp_path / "project").start()
        run.save(*ALL)
        run.finish()
        assert statuses(uri, "e") == FINISHED
        told = everything_in(uri) + capsys.readouterr().out
        monkeypatch.delenv("MLFLOW_TRACKING_URI")
        told += refused(tmp_path, uri=uri.replace(QUOTED, "wr0ng"))
    assert "password authentication failed for user" in told
    assert "MLflow    make ui  compares runs" in told
    for secret in (PASSWORD, QUOTED, "wr0ng"):
        assert secret not in told
        for path in tmp_path.rglob("*"):
            assert path.is_dir() or secret.encode() not in path.read_bytes()


def everything_in(uri):
    """Return all rows of all tables as text."""
    engine, schema = create_engine(uri), MetaData()
    schema.reflect(engine)
    with engine.connect() as connection:
        return "".join(
            str(connection.execute(table.select()).all()) for table in schema.tables.values()
        )
