"""Whether a database is whole, whatever happens while it is made."""

import signal
import subprocess
import sys

import pytest
from mlflow import MlflowClient

from mnist_kedro.tracking.databases import make_whole
from mnist_kedro.tracking.store import TrackingParameters, open_experiment

from .conftest import store

pytestmark = pytest.mark.slow

PARAMETERS = TrackingParameters(
    enabled=True, uri=None, experiment="digits", registered_model="digits"
)
# Opens a database, and is killed instead of carrying out a statement, or of moving the file.
KILLED = """
import os, signal, sys
from pathlib import Path
from sqlalchemy import Engine, event
from mnist_kedro.tracking.store import TrackingParameters, open_experiment

folder, parameters, moment = sys.argv[1:]
done = 0

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

@event.listens_for(Engine, "before_cursor_execute")
def count(*_):
    global done
    done += 1
    if str(done) == moment:
        die()

if moment == "move":
    Path.replace = die
open_experiment(TrackingParameters.model_validate_json(parameters), Path(folder))
"""


def names(folder):
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("moment", ["50", "800", "move"])  # of 1,700 statements, or after them
def test_kill_9_while_a_database_is_made_does_no_harm(tmp_path, moment):
    command = [sys.executable, "-c", KILLED, str(tmp_path), PARAMETERS.model_dump_json(), moment]
    killed = subprocess.run(command, stderr=subprocess.PIPE, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    experiment_id = open_experiment(PARAMETERS, tmp_path)
    assert MlflowClient(store(tmp_path)).get_experiment(experiment_id).name == "digits"
    assert names(tmp_path) == {"mlflow.db", "mlflow.db.lock"}


def test_an_empty_file_and_what_is_left_beside_it_become_a_database(tmp_path):
    for name in ("", "-journal", ".unfinished", ".unfinished-journal"):
        (tmp_path / f"mlflow.db{name}").touch()
    make_whole(store(tmp_path), tmp_path.as_uri())
    assert names(tmp_path) == {"mlflow.db"}
    assert [each.name for each in MlflowClient(store(tmp_path)).search_experiments()] == ["Default"]
    # As after kill -9 before the experiment is made: the next run makes it.
    experiment_id = open_experiment(PARAMETERS, tmp_path)
    found = MlflowClient(store(tmp_path)).get_experiment(experiment_id)
    assert (found.name, found.artifact_location) == ("digits", (tmp_path / "mlartifacts").as_uri())


@pytest.mark.parametrize("uri", ["sqlite://", "sqlite:///:memory:", "postgresql://host/runs"])
def test_only_files_are_made_aside(tmp_path, monkeypatch, uri):
    monkeypatch.chdir(tmp_path)
    make_whole(uri, tmp_path.as_uri())
    assert names(tmp_path) == set()
