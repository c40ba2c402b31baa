"""Where MLflow keeps the runs: a database in the project's folder, or a server."""

from __future__ import annotations

import os
import platform
import re
import sqlite3
from contextlib import closing, contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from mnist_kedro.parameters import Name, Parameters, UserError, public_address
from mnist_kedro.run.lock import is_alive

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mlflow import MlflowClient

ADDRESS = "MLFLOW_TRACKING_URI"
READABLE = re.compile(r"[^@]*|[^:/]+://(/.*|[^@/?#]*@[^@]*)")  # addresses with their passwords
ANSWER_SECONDS = 5  # within which a server or database answers, or counts as out of reach
SIGN_OF_LIFE = "api/2.0/mlflow/experiments/search?max_results=1"  # hung servers still serve /health
# MLflow reads these from the environment alone. What the user has set stays.
ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # a server that dies costs seconds, not minutes
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_LOGGING_LEVEL": "CRITICAL",  # what it logs as an error it raises, too
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}


class TrackingParameters(Parameters):
    """Where runs are tracked, and under which names: `conf/<env>/parameters_tracking.yml`."""

    enabled: bool
    uri: str | None
    experiment: Name
    registered_model: Annotated[Name, Field(pattern="^[^/:]+$")]  # as MLflow wants it

    def address(self, project: Path) -> str:
        """Return the address of the server or database."""
        return os.environ.get(ADDRESS) or self.uri or _local_database(project)

    def way_there(self, project: Path) -> str:
        """Return what shows the runs: a command, or the address without its password."""
        address = self.address(project)
        local = address == _local_database(project)
        return "make ui  compares runs" if local else public_address(address)


def open_experiment(parameters: TrackingParameters, project: Path) -> tuple[MlflowClient, str]:
    """Return a client and the id of the experiment, which is made if it is not there yet.

    Runs of this project, on this machine, that were killed get the status KILLED.

    Raises:
        UserError: The address cannot be read.
        Exception: One of `refusals()`.
    """
    uri = parameters.address(project)
    if not READABLE.fullmatch(uri):
        raise UserError(
            f"expected the address of a server or database in 'tracking.uri' or {ADDRESS}, found "
            f"one in which the password has no clear end: write @ as %40, / as %2F and % as %25"
        )
    server = uri.startswith("http")
    if server:
        _check_server(uri)
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    from filelock import FileLock
    from mlflow import MlflowClient

    # Two processes that make the same tables break each other's.
    with nullcontext() if server else FileLock(project / "mlflow.db.lock"):
        if uri == _local_database(project):
            _remove_half_made(project / "mlflow.db")
        _check_database(uri)
        client = MlflowClient(uri)
        with unless_it_exists():
            artifacts = None if server else (project.resolve() / "mlartifacts").as_uri()
            client.create_experiment(parameters.experiment, artifacts)
    experiment: str = client.get_experiment_by_name(parameters.experiment).experiment_id  # type: ignore[union-attr]
    for run in client.search_runs([experiment], "attributes.status = 'RUNNING'"):
        tags = run.data.tags
        ours = tags.get("kedro_project") == project_tag(project)
        if ours and not is_alive(project, tags["kedro_run_id"]):
            client.set_terminated(run.info.run_id, "KILLED")
    return client, experiment


def project_tag(project: Path) -> str:
    """Return what tells this project, on this machine, from others that share a server."""
    return f"{platform.node()}:{project.resolve()}"


@contextmanager
def unless_it_exists() -> Iterator[None]:
    """Make something in MLflow that another run may have made, or make at the same time."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def refusals() -> tuple[type[Exception], ...]:
    """Return the errors of servers, databases and their drivers, which are no bugs of ours."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    return (MlflowException, SQLAlchemyError, OSError, ImportError)


def public_reason(error: Exception) -> str:
    """Return the first line of what an error says, without the passwords of addresses."""
    return public_address(str(error) or repr(error)).partition("\n")[0]


def _local_database(project: Path) -> str:
    # Absolute, or each folder from which one starts would get a database of its own.
    return f"sqlite:///{project.resolve() / 'mlflow.db'}"


def _check_server(uri: str) -> None:
    """Ask a server for a sign of life: MLflow's own client would try for minutes."""
    import requests

    try:
        with suppress(requests.exceptions.SSLError):  # it lives; MLflow may know its certificate
            requests.get(f"{uri.rstrip('/')}/{SIGN_OF_LIFE}", timeout=ANSWER_SECONDS)
    except requests.RequestException:
        raise ConnectionError(f"no server that answers within {ANSWER_SECONDS} s") from None


def _check_database(uri: str) -> None:
    """Open and close a database: MLflow would try for minutes."""
    from sqlalchemy import NullPool, create_engine

    if uri.startswith(("sqlite", "postgresql", "mysql")):
        limit = {} if uri.startswith("sqlite") else {"connect_timeout": ANSWER_SECONDS}
        create_engine(uri, connect_args=limit, poolclass=NullPool).connect().close()


def _remove_half_made(file: Path) -> None:
    """Remove a database that a killed run has begun: MLflow makes its first experiment last."""
    if file.is_file():
        with closing(sqlite3.connect(file)) as database:
            tables = database.execute("SELECT name FROM sqlite_master").fetchall()
            whole = ("experiments",) in tables and database.execute(
                "SELECT * FROM experiments"
            ).fetchone()
        if not whole:
            file.unlink()
