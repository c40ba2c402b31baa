"""Whether MLflow's database is sound and true, by plain SQL: MLflow's client would mend it."""

import json
import pickle
import sqlite3
from contextlib import closing

from tests.faults.projects import files

READY = 2  # the status of a logged model whose files are all there
RUNS = "SELECT run_uuid, name FROM runs WHERE status = ? AND lifecycle_stage = 'active'"
TAGS = "SELECT key, value FROM tags WHERE run_uuid = ?"
MODELS = "SELECT model_id FROM logged_models WHERE status = ? AND source_run_id = ?"


def losses_in_mlflow(folder, saved):
    """Return a sentence for each untrue or half thing.

    Args:
        folder: Of the project.
        saved: Paths of what is saved, by dataset and version.
    """
    with closing(sqlite3.connect(folder / "mlflow.db")) as connection:
        (state,) = connection.execute("PRAGMA integrity_check").fetchone()
        lost = [] if state == "ok" else [f"mlflow.db is corrupt: {state}"]
        lost += [f"RUNNING in MLflow for ever: {name}" for _, name in _runs(connection, "RUNNING")]
        for run, name in _runs(connection, "FINISHED"):
            tags = dict(connection.execute(TAGS, [run]).fetchall())
            models = [model for (model,) in connection.execute(MODELS, [READY, run])]
            found = _untrue(folder / "mlartifacts", run, tags, models, saved)
            lost += [f"FINISHED in MLflow, {name}: {each}" for each in found]
    return lost


def known_artifacts(folder):
    """Return the files of all runs and models that MLflow knows."""
    with closing(sqlite3.connect(folder / "mlflow.db")) as connection:
        runs = [run for (run,) in connection.execute("SELECT run_uuid FROM runs")]
        models = [model for (model,) in connection.execute("SELECT model_id FROM logged_models")]
    artifacts = folder / "mlartifacts"
    folders = [artifacts / name for name in [*runs, *(f"models/{model}" for model in models)]]
    return {path for each in folders for path in files(each)}


def names_in_mlflow(folder, status):
    """Return the names of the runs with this status."""
    try:
        with closing(sqlite3.connect(folder / "mlflow.db")) as connection:
            return [name for _, name in _runs(connection, status)]
    except sqlite3.OperationalError:  # no table is there yet
        return []


def _runs(connection, status):
    return connection.execute(RUNS, [status]).fetchall()


def _untrue(artifacts, run, tags, models, saved):
    """Yield what a run that calls itself finished has not, or not whole."""
    if "mlflow.parentRunId" not in tags:
        for name, version in json.loads(tags["dataset_versions"]).items():
            if version and version not in saved[name]:
                yield f"{name} of {version} is not there"
    elif len(models) != 1:
        yield f"it has {len(models)} models"
    for model in models:
        path = artifacts / "models" / model / "artifacts" / "model.pkl"
        try:
            pickle.loads(path.read_bytes())
        except (OSError, EOFError, pickle.UnpicklingError) as error:
            yield f"its model cannot be loaded: {error}"
    own = [paths.get(tags["kedro_run_id"]) for paths in saved.values()]
    contents = {(path.name, path.read_bytes()) for path in own if path}
    for path in files(artifacts / run):
        if (path.name, path.read_bytes()) not in contents:
            yield f"{path.name} is not as it was saved"
