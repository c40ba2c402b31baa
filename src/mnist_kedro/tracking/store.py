"""Where MLflow keeps the runs: a database in the project's folder, or a server."""

from __future__ import annotations

import os
import platform
import re
import secrets
import sqlite3
from contextlib import closing, contextmanager, nullcontext
from typing import TYPE_CHECKING, Literal

from mnist_kedro.datasets.files import write_whole
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
    registered_model: Name

    def names(self, data: str) -> tuple[str, str]:
        """Return the experiment and the registered model for the data set of this name."""
        experiment, model = (
            each.replace("{data}", data) for each in (self.experiment, self.registered_model)
        )
        return experiment, re.sub("[/:]", "_", model)  # which MLflow does not take in a model's

    def address(self, project: Path) -> str:
        """Return the address of the server or database."""
        return os.environ.get(ADDRESS) or self.uri or _local_database(project)


def project_tag(project: Path) -> str:
    """Return by which tag the runs of a project are known; others may share the server."""
    return f"{platform.node()}:{project.resolve()}"


def has_store(parameters: TrackingParameters, project: Path) -> bool:
    """Tell whether there may be tracked runs: a local database is made by the first one."""
    is_local = parameters.address(project) == _local_database(project)
    return parameters.enabled and not (is_local and not (project / "mlflow.db").exists())


def open_store(parameters: TrackingParameters, project: Path) -> MlflowClient:
    """Return a client of the server or database, which has its tables.

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
    from filelock import FileLock
    from mlflow import MlflowClient

    # Two processes that make the same tables break each other's.
    with nullcontext() if is_server(uri) else FileLock(project / "mlflow.db.lock"):
        if uri == _local_database(project) and not (file := project / "mlflow.db").exists():
            _make_database(file)
        _ask_for_sign_of_life(uri)
        client = MlflowClient(uri)
        client.search_experiments(max_results=1)
    return client


def open_experiment(client: MlflowClient, name: str, project: Path) -> str:
    """Return the id of the experiment, which is made if it is not there yet."""
    artifacts = (project.resolve() / "mlartifacts").as_uri()
    with unless_it_exists():
        client.create_experiment(name, None if is_server(client.tracking_uri) else artifacts)
    return str(client.get_experiment_by_name(name).experiment_id)  # type: ignore[union-attr]


@contextmanager
def reached(uri: str, hint: str = "") -> Iterator[None]:
    """Let what a server or database refuses end in one sentence, which may end in a hint.

    Raises:
        UserError: It refuses something.
    """
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    try:
        yield
    except refusals() as error:
        raise UserError(
            f"expected to reach MLflow at {public_address(uri)}, found: {public_reason(error)}; "
            f"start it, or change 'tracking.uri' or {ADDRESS}{hint}"
        ) from None  # what MLflow says in full may have the password


def is_server(uri: str) -> bool:
    """Tell whether this is the address of an MLflow server, not that of a database."""
    return uri.startswith("http")


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
    if is_server(uri):
        import requests

        try:
            requests.get(f"{uri.rstrip('/')}/health", timeout=ANSWER_SECONDS)
        except requests.exceptions.SSLError:
            pass  # it lives; MLflow may know its certificate
        except requests.exceptions.RequestException:
            raise OSError(f"no answer in {ANSWER_SECONDS} seconds") from None
    elif uri.startswith(("sqlite", "postgresql", "mysql")):
        from sqlalchemy import NullPool, create_engine

        limit = {} if uri.startswith("sqlite") else {"connect_timeout": ANSWER_SECONDS}
        create_engine(uri, connect_args=limit, poolclass=NullPool).connect().close()


def _make_database(file: Path) -> None:
    """Make MLflow's database, whole or absent.

    In memory first: of a file, MLflow would let the disk confirm hundreds of changes, one by one.
    """
    from mlflow import MlflowClient

    memory = f"file:{secrets.token_hex()}?mode=memory&cache=shared"
    MlflowClient(f"sqlite:///{memory}&uri=true").search_experiments(max_results=1)
    with closing(sqlite3.connect(memory, uri=True)) as database, write_whole(file) as whole:
        whole.write(database.serialize())
