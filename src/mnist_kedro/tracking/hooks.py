"""When MLflow learns of a run: at its start, as soon as a candidate is saved, and at its end.

Everything is logged from the main process, from what was saved, so it is the same under every
runner, and no node knows of it. MLflow is imported only when a run tracks: that takes seconds.
"""

from __future__ import annotations

import atexit
import logging
import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.framework.hooks import hook_impl

from mnist_kedro.parameters import Parameters
from mnist_kedro.progress import CompletedNodes

if TYPE_CHECKING:
    from collections.abc import Callable

    from kedro.io import DataCatalog
    from kedro.pipeline import Pipeline

    from mnist_kedro.tracking.run import TrackedRun

ANSWER_SECONDS = 5.0  # within which a server answers, or counts as out of reach
ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # a server that dies costs seconds, not minutes
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}

logger = logging.getLogger(__name__)


class TrackingParameters(Parameters):
    """Where runs are tracked, and under which names: `conf/<env>/tracking.yml`."""

    enabled: bool
    uri: str | None
    experiment: str
    registered_model: str


class TrackingHooks:
    """Tracks each run in MLflow, unless `tracking.enabled` is false."""

    def __init__(self) -> None:
        self._run: TrackedRun | None = None
        self._nodes = CompletedNodes(lambda name: self._log(lambda run: run.log_node(name)))
        self._sigterm: Any = None

    @hook_impl(trylast=True)  # after the hook that gives the run its `provenance`
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog
    ) -> None:
        """Start the run in MLflow.

        Raises:
            ConnectionError: The server does not answer.
        """
        self._end("KILLED")  # the run before, which Ctrl-C ended in a notebook
        tracking = TrackingParameters.model_validate(catalog.load("params:tracking"))
        if not tracking.enabled:
            return
        project = Path(run_params["project_path"]).resolve()
        # Absolute, or each folder from which one starts would get a database of its own.
        local = f"sqlite:///{project / 'mlflow.db'}"
        uri = os.environ.get("MLFLOW_TRACKING_URI") or tracking.uri or local
        if uri.startswith("http"):
            _check_that_it_answers(uri)
        for name, value in ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        from mnist_kedro.tracking.run import TrackedRun, open_experiment

        experiment_id = open_experiment(uri, tracking.experiment, project)
        self._run = TrackedRun(
            experiment_id, tracking.registered_model, run_params, pipeline, catalog
        )
        self._nodes.__enter__()
        self._end_when_killed()

    @hook_impl
    def after_pipeline_run(self) -> None:
        """Log what is left, and end the run."""
        self._log(lambda run: run.log_rest())
        self._end("FINISHED")

    @hook_impl
    def on_pipeline_error(self, error: Exception) -> None:
        """End the run as failed; the candidates that were finished are logged."""
        self._log(lambda run: run.describe(f"Failed: {error}"))
        self._end("FAILED")

    def _log(self, step: Callable[[TrackedRun], None]) -> None:
        """Do a step of logging; if that cannot be done, say so and go on without MLflow."""
        if self._run is None:
            return
        from mlflow.exceptions import MlflowException

        try:
            step(self._run)
        except (MlflowException, OSError) as error:
            logger.warning(
                "MLflow no longer takes what this run logs (%s): it goes on untracked, and all "
                "results are saved in the catalog as ever.",
                error,
            )
            self._run = None

    def _end(self, status: str) -> None:
        self._nodes.__exit__()
        if self._run is None or self._run.process_id != os.getpid():
            return
        self._log(lambda run: run.end(status))
        self._run = None
        if self._sigterm is not None:
            signal.signal(signal.SIGTERM, self._sigterm)

    def _end_when_killed(self) -> None:
        """See to the status after Ctrl-C and SIGTERM, of which Kedro tells no hook."""
        atexit.register(self._end, "KILLED")
        if threading.current_thread() is threading.main_thread():
            self._sigterm = signal.signal(signal.SIGTERM, _exit)


def _exit(signal_number: int, frame: object) -> None:  # noqa: ARG001 (as Python calls it)
    sys.exit(128 + signal_number)


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
