"""What a run loses, and for how long it waits, when a real MLflow server fails in the middle."""

import os
import signal
from contextlib import ExitStack

import pytest

from mnist_kedro.tracking.store import ENVIRONMENT, HURRY

from .conftest import ON, TWO, answers, refusing, runs_in, serving, wait_until

BACKOFF = 4 + 1  # seconds between the last two tries of three: MLflow's factor and jitter


def test_a_server_that_hangs_costs_less_than_45_seconds():
    seconds = {name: int(value) for name, value in (ENVIRONMENT | HURRY).items() if value.isdigit()}
    assert seconds == {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": 0, "MLFLOW_HTTP_REQUEST_TIMEOUT": 3}
    patient = 3 * int(ENVIRONMENT["MLFLOW_HTTP_REQUEST_TIMEOUT"]) + BACKOFF
    assert ENVIRONMENT["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "2"
    # What fails first, then the status of the child, then that of the run.
    assert patient + 2 * seconds["MLFLOW_HTTP_REQUEST_TIMEOUT"] < 45


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["dies", "hangs", 403, 500])
def test_a_server_that_fails_while_the_second_candidate_trains_loses_nothing(
    used_project, start, free_port, fault
):
    uri = f"http://127.0.0.1:{free_port}"
    command = ("mlflow", "server", "--backend-store-uri", "sqlite:///server.db", "--port")
    slow = "candidates.mlp_64.hyperparameters.epochs=150"
    metrics = "mlp_64/metrics.json/*/metrics.json"
    before = set((used_project / "data").rglob(metrics))
    with ExitStack() as stack:
        server = stack.enter_context(
            serving((*command, str(free_port), "--workers", "1"), free_port, used_project)
        )
        short = {"MLFLOW_TRACKING_URI": uri, "MLFLOW_HTTP_REQUEST_TIMEOUT": "1"}
        process = start(used_project, *TWO, f"{ON},{slow}", **short)
        wait_until(lambda: has_the_first(uri))
        if fault == "hangs":
            os.killpg(server.pid, signal.SIGSTOP)
        else:
            stack.close()
        if isinstance(fault, int):
            wait_until(lambda: not answers(f"{uri}/health"))
            asked = stack.enter_context(refusing(free_port, fault))
        output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    (warning,) = [line for line in errors.splitlines() if " INFO " not in line]
    assert "WARNING MLflow does not take what this run logs" in warning
    assert "goes on untracked" in warning
    assert len(set((used_project / "data").rglob(metrics)) - before) == 1
    assert not (used_project / "mlflow.db").exists()
    assert "View run" not in output  # MLflow's own lines
    if isinstance(fault, int):  # at most three times for what fails, then once for each status
        assert len(asked) <= 5
        assert asked[-1].endswith("/runs/update")


def has_the_first(uri):
    """Whether the first candidate is logged, with its file."""
    client, runs = runs_in(uri)
    run = runs.get("logistic_regression")
    files = client.list_artifacts(run.info.run_id) if run else []
    return "metrics.json" in {file.path for file in files}
