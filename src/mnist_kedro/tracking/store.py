"""Where MLflow keeps the runs: a database in the project's folder, or a server."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

from pydantic import Field

from mnist_kedro.parameters import Name, Parameters, public_address

if TYPE_CHECKING:
    from pathlib import Path

ANSWER_SECONDS = 5.0  # within which a server answers, or counts as out of reach
ADDRESS = "MLFLOW_TRACKING_URI"
WAYS_OUT = f"change 'tracking.uri' or {ADDRESS}, or add --params tracking.enabled=false"
SIGN_OF_LIFE = "/api/2.0/mlflow/experiments/search?max_results=1"  # /health is served by hung ones
PORTS = {"sqlite": None, "postgresql": 5432, "mysql": 3306}  # of databases
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
    experiment: Name
    registered_model: Annotated[Name, Field(pattern="^[^/:]+$")]  # as MLflow wants it


def open_experiment(parameters: TrackingParameters, project: Path) -> str:
    """Return the id of the experiment, which is made if it is not there yet.

    Raises:
        ConnectionError: The server or database does not answer, or not as it should.
    """
    # Absolute, or each folder from which one starts would get a database of its own.
    local = f"sqlite:///{project.resolve() / 'mlflow.db'}"
    uri = os.environ.get(ADDRESS) or parameters.uri or local
    _check_that_it_answers(uri)
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        _open_database(uri)
        return _find_or_create(uri, parameters.experiment, project.resolve())
    except (MlflowException, SQLAlchemyError, ImportError) as error:  # the last: of a driver
        raise ConnectionError(
            f"expected the experiment '{parameters.experiment}' in MLflow at "
            f"{public_address(uri)}, found: {str(error).splitlines()[0]}; {WAYS_OUT}"
        ) from error


def _find_or_create(uri: str, experiment: str, project: Path) -> str:
    import mlflow
    from filelock import FileLock

    given = ADDRESS in os.environ
    mlflow.set_tracking_uri(uri)
    if not given:  # MLflow writes it there, where the next run would take it for the user's wish
        os.environ.pop(ADDRESS, None)
    with FileLock(project / "mlflow.db.lock"):  # two that migrate a fresh database break it
        client = mlflow.MlflowClient()
        if not uri.startswith("http") and client.get_experiment_by_name(experiment) is None:
            client.create_experiment(experiment, (project / "mlartifacts").as_uri())
        return str(mlflow.set_experiment(experiment).experiment_id)


def _check_that_it_answers(uri: str) -> None:
    """Ask for a sign of life: MLflow's own client would try for minutes."""
    import requests

    parts = urlsplit(uri)
    port = parts.port or PORTS.get(_database(uri))
    try:
        if parts.scheme.startswith("http"):
            requests.get(f"{uri.rstrip('/')}{SIGN_OF_LIFE}", timeout=ANSWER_SECONDS)
        elif parts.hostname and port:
            socket.create_connection((parts.hostname, port), ANSWER_SECONDS).close()
    except OSError as error:
        raise ConnectionError(
            f"expected MLflow's server or database at {public_address(uri)}, found none that "
            f"answers within {ANSWER_SECONDS:.0f} s: start it, or {WAYS_OUT}"
        ) from error


def _open_database(uri: str) -> None:
    """Open and close it, if it is one: where that fails, MLflow would try for minutes."""
    from sqlalchemy import create_engine

    if _database(uri) in PORTS:
        limit = {"connect_timeout": int(ANSWER_SECONDS)} if PORTS[_database(uri)] else {}
        engine = create_engine(uri, connect_args=limit)
        engine.connect().close()
        engine.dispose()


def _database(uri: str) -> str:
    """Return which database an address is of, without the driver: `postgresql+psycopg2://…`."""
    return urlsplit(uri).scheme.partition("+")[0]
