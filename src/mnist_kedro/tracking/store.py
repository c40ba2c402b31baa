"""Where MLflow keeps the runs: a database in the project's folder, or a server."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mnist_kedro.parameters import Parameters

if TYPE_CHECKING:
    from pathlib import Path

ANSWER_SECONDS = 5.0  # within which a server answers, or counts as out of reach
ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # a server that dies costs seconds, not minutes
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}


class TrackingParameters(Parameters):
    """Where runs are tracked, and under which names: `conf/<env>/tracking.yml`."""

    enabled: bool
    uri: str | None
    experiment: str
    registered_model: str


def open_experiment(parameters: TrackingParameters, project: Path) -> str:
    """Return the id of the experiment, which is made if it is not there yet.

    Raises:
        ConnectionError: The server does not answer.
    """
    # Absolute, or each folder from which one starts would get a database of its own.
    local = f"sqlite:///{project.resolve() / 'mlflow.db'}"
    uri = os.environ.get("MLFLOW_TRACKING_URI") or parameters.uri or local
    if uri.startswith("http"):
        _check_that_it_answers(uri)
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    import mlflow
    from filelock import FileLock

    mlflow.set_tracking_uri(uri)
    with FileLock(project / "mlflow.db.lock"):  # two that migrate a fresh database break it
        client = mlflow.MlflowClient()
        if not uri.startswith("http") and not client.get_experiment_by_name(parameters.experiment):
            artifacts = (project.resolve() / "mlartifacts").as_uri()
            client.create_experiment(parameters.experiment, artifacts)
        return str(mlflow.set_experiment(parameters.experiment).experiment_id)


def _check_that_it_answers(uri: str) -> None:
    """Ask a server for its health: MLflow's own client would try for minutes."""
    import requests

    try:
        requests.get(f"{uri.rstrip('/')}/health", timeout=ANSWER_SECONDS)
    except requests.RequestException as error:
        raise ConnectionError(
            f"expected an MLflow server at {uri}, found none that answers within "
            f"{ANSWER_SECONDS:.0f} s: start it, change 'tracking.uri' or MLFLOW_TRACKING_URI, or "
            f"run with --params tracking.enabled=false"
        ) from error
