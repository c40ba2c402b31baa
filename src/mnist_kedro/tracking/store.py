"""Where MLflow keeps the runs: a database in the project's folder, or a server."""

from __future__ import annotations

import os
import socket
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

from pydantic import Field

from mnist_kedro.parameters import Name, Parameters, public_address
from mnist_kedro.tracking.databases import (
    ANSWER_SECONDS,
    PORTS,
    kind,
    make_whole,
    making,
    open_database,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from urllib.parse import SplitResult

ADDRESS = "MLFLOW_TRACKING_URI"
WAYS_OUT = f"change 'tracking.uri' or {ADDRESS}, or add --params tracking.enabled=false"
SIGN_OF_LIFE = "/api/2.0/mlflow/experiments/search?max_results=1"  # /health is served by hung ones
ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # a server that dies costs seconds, not minutes
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_LOGGING_LEVEL": "CRITICAL",  # what it logs as an error it raises, too
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
HURRY = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": "3"}


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
        ValueError: The address is none.
    """
    uri = _address(parameters, project)
    _check_that_it_answers(uri)
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    with refusals_told(parameters, project):
        open_database(uri)
        return _find_or_create(uri, parameters.experiment, project.resolve())


@contextmanager
def refusals_told(parameters: TrackingParameters, project: Path) -> Iterator[None]:
    """Say in one sentence what MLflow's server or database does not do.

    Raises:
        ConnectionError: Something; without what MLflow says of it, which may have the password.
    """
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, ImportError) as error:  # the last: of a driver
        raise ConnectionError(
            f"expected the experiment '{parameters.experiment}' in MLflow at "
            f"{public_address(_address(parameters, project))}, found: {public_reason(error)}; "
            f"{WAYS_OUT}"
        ) from None


@contextmanager
def in_a_hurry() -> Iterator[None]:
    """Let MLflow ask its server only once, and briefly: it has not answered before."""
    before = {name: os.environ[name] for name in HURRY}
    os.environ.update(HURRY)
    try:
        yield
    finally:
        os.environ.update(before)


def public_reason(error: Exception) -> str:
    """Return the first line of what an error says, without the password in an address."""
    return public_address(str(error)).partition("\n")[0]


def _address(parameters: TrackingParameters, project: Path) -> str:
    # Absolute, or each folder from which one starts would get a database of its own.
    local = f"sqlite:///{project.resolve() / 'mlflow.db'}"
    return os.environ.get(ADDRESS) or parameters.uri or local


def _find_or_create(uri: str, experiment: str, project: Path) -> str:
    import mlflow

    given = ADDRESS in os.environ
    mlflow.set_tracking_uri(uri)
    if not given:  # MLflow writes it there, where the next run would take it for the user's wish
        os.environ.pop(ADDRESS, None)
    artifacts = (project / "mlartifacts").as_uri()
    with making(uri, project):
        make_whole(uri, artifacts)
        client = mlflow.MlflowClient()
        if not uri.startswith("http") and client.get_experiment_by_name(experiment) is None:
            client.create_experiment(experiment, artifacts)
        return str(mlflow.set_experiment(experiment).experiment_id)


def _check_that_it_answers(uri: str) -> None:
    """Ask for a sign of life: MLflow's own client would try for minutes."""
    import requests

    parts = _split(uri)
    port = parts.port or PORTS.get(kind(uri))
    try:
        if parts.scheme.startswith("http"):
            requests.get(f"{uri.rstrip('/')}{SIGN_OF_LIFE}", timeout=ANSWER_SECONDS)
        elif parts.hostname and port:
            socket.create_connection((parts.hostname, port), ANSWER_SECONDS).close()
    except OSError:
        raise ConnectionError(
            f"expected MLflow's server or database at {public_address(uri)}, found none that "
            f"answers within {ANSWER_SECONDS:.0f} s: start it, or {WAYS_OUT}"
        ) from None


def _split(uri: str) -> SplitResult:
    """Return the parts of an address, unless it is one of which a password would take another."""
    with suppress(ValueError):  # which may have a piece of the password
        parts = urlsplit(uri)
        if parts.netloc.count("@") <= 1 and parts.port != 0:
            return parts
    raise ValueError(
        f"expected the address of a server or database in 'tracking.uri' or {ADDRESS}, found "
        f"'{public_address(uri)}': in a password, write @ as %40, / as %2F and % as %25"
    )
