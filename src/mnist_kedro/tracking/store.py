"""Where MLflow keeps the runs: a database in the project's folder, or a server."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from mnist_kedro.parameters import Name, Parameters, UserError, public_address

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mlflow import MlflowClient

ADDRESS = "MLFLOW_TRACKING_URI"
ANSWER_SECONDS = 5  # within which a server or database answers, or counts as out of reach
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
    models: Literal["final", "all"]
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

    Raises:
        UserError: The address cannot be read.
        Exception: One of `refusals()`.
    """
    uri = parameters.address(project)
    login = uri.partition("://")[2].rpartition("@")[0]
    if set(login) & set("/?#@") and not uri.startswith("sqlite"):
        raise UserError(
            f"expected an address in 'tracking.uri' or {ADDRESS}, found one in which the end of "
            f"the password is not clear: write @ as %40, / as %2F, ? as %3F and # as %23"
        )
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    from filelock import FileLock
    from mlflow import MlflowClient

    server = uri.startswith("http")
    # Two processes that make the same tables break each other's.
    with nullcontext() if server else FileLock(project / "mlflow.db.lock"):
        if uri == _local_database(project):
            _remove_half_made(project / "mlflow.db")
        _ask_for_sign_of_life(uri)
        client = MlflowClient(uri)
        with unless_it_exists():
            artifacts = None if server else (project.resolve() / "mlartifacts").as_uri()
            client.create_experiment(parameters.experiment, artifacts)
    experiment = client.get_experiment_by_name(parameters.experiment)
    return client, experiment.experiment_id  # type: ignore[union-attr]


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

    return (MlflowException, SQLAlchemyError, sqlite3.Error, OSError, ImportError)


def public_reason(error: Exception) -> str:
    """Return the first line of what an error says, without the passwords of addresses."""
    return public_address(str(error) or repr(error)).partition("\n")[0]


def _local_database(project: Path) -> str:
    # Absolute, or each folder from which one starts would get a database of its own.
    return f"sqlite:///{project.resolve() / 'mlflow.db'}"


def _ask_for_sign_of_life(uri: str) -> None:
    """Ask a server or a database for an answer: MLflow's own client would try for minutes."""
    if uri.startswith("http"):
        import requests

        with suppress(requests.exceptions.SSLError):  # it lives; MLflow may know its certificate
            requests.get(f"{uri.rstrip('/')}/health", timeout=ANSWER_SECONDS)
    elif uri.startswith(("sqlite", "postgresql", "mysql")):
        from sqlalchemy import NullPool, create_engine

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
