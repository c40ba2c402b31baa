"""What the tests of tracking share: a client, and a real MLflow server."""

import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from mlflow import MlflowClient

from docs.pages import free_port

ON = "tracking.enabled=true"
TRACKED = f"data_ingestion.source=embedded,{ON}"
TWO = ("--namespaces=logistic_regression,mlp_64", "--params")


def runs_in(uri):
    """Return a client and the runs of a store by name, the parent under the name `parent`."""
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("mnist_kedro")
    runs = client.search_runs([experiment.experiment_id]) if experiment else []
    names = {
        run.info.run_name if "mlflow.parentRunId" in run.data.tags else "parent": run
        for run in runs
    }
    return client, names


def store(folder):
    return f"sqlite:///{folder / 'mlflow.db'}"


@pytest.fixture(autouse=True)
def _tidy_environment():
    """MLflow writes its address into the environment, which the processes of tests inherit."""
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    yield
    os.environ.pop("MLFLOW_TRACKING_URI", None)


@pytest.fixture(name="free_port")
def free_port_fixture():
    return free_port()


@contextmanager
def serving(command, port, cwd, path="/health", **environment):
    """Run a server on this machine until the block ends; waits until it answers."""
    environment |= {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    scripts = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # MLflow's own
    process = subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=cwd,
        env=os.environ | {"PATH": scripts} | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_until(lambda: answers(f"http://127.0.0.1:{port}{path}"))
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def refusing(port, status):
    """Run a server that answers all with this status; yields what it was asked for."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_POST = do_PUT = do_PATCH = do_GET  # noqa: N815 (http.server's names)

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        try:
            yield asked
        finally:
            server.shutdown()


def answers(url):
    try:
        return urllib.request.urlopen(url, timeout=2).status == 200  # noqa: S310 (a server of ours)
    except OSError:
        return False


def wait_until(condition, seconds=180):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"nothing happened in {seconds} s")
        time.sleep(0.1)
