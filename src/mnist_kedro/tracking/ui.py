"""MLflow's page on the latest run: the links to it, and a server if the runs are in a database."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mnist_kedro.parameters import UserError, public_address
from mnist_kedro.tracking.store import is_server, open_store, reached
from mnist_kedro.tracking.views import VIEW, links

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mnist_kedro.tracking.store import TrackingParameters

# A name of this machine that all browsers but Safari know. Under it MLflow opens no assistant.
HOST = "127.0.0.1" if sys.platform == "darwin" else "mlflow.localhost"
ENVIRONMENT = {
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # eight processes that serve no page here
    "MLFLOW_SERVER_ALLOWED_HOSTS": f"{HOST}:*,localhost:*,127.0.0.1:*",
    "MLFLOW_UVICORN_OPTS": "--log-level warning",
    "PYTHONWARNINGS": "ignore",  # of MLflow's own imports
}


@contextmanager
def serve(parameters: TrackingParameters, project: Path, port: int) -> Iterator[dict[str, str]]:
    """Yield the links to MLflow's page; serve it, if nobody does, until somebody stops it.

    Raises:
        UserError: No run with candidates is tracked, or the port is taken.
    """
    uri = parameters.address(project)
    with reached(uri):
        client = open_store(parameters, project)
        found = client.search_experiments(filter_string=f"tags.`{VIEW}candidates` LIKE '%'")
        ids = [experiment.experiment_id for experiment in found]
        latest = client.search_runs(ids, order_by=["start_time DESC"], max_results=1) if ids else []
    if not latest:
        raise UserError(
            f"expected a run that trained candidates in MLflow at {public_address(uri)}, found "
            f"none: `kedro run` first"
        )
    experiment_id = latest[0].info.experiment_id
    if is_server(uri):
        yield links(uri, experiment_id)
        return
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError as error:
        raise UserError(
            f"cannot listen on port {port}: {error.strerror}; choose another with --port"
        ) from error
    address = f"http://{HOST}:{port}"
    # What the environment says, no other user of this machine can read.
    own = {"MLFLOW_BACKEND_STORE_URI": uri, "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS": address}
    with subprocess.Popen(  # noqa: S603 (fixed words)
        [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--port", str(port)],
        env=os.environ | ENVIRONMENT | own,
    ) as server:
        try:
            while server.poll() is None and not _answers(port):
                time.sleep(0.1)
            yield links(address, experiment_id)
            server.wait()
        finally:
            server.terminate()


def _answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
