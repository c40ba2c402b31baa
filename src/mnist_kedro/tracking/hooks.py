"""When MLflow learns of a run: at its start, as soon as a candidate is saved, and at its end.

Everything is logged from the main process, from what was saved, so it is the same under every
runner, and no node knows of it. MLflow is imported only when a run tracks: that takes seconds.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
from contextlib import ExitStack, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.framework.hooks import hook_impl

from mnist_kedro.parameters import public_address, sentence_of
from mnist_kedro.run.progress import CompletedNodes
from mnist_kedro.run.runs import has_ended
from mnist_kedro.run.stopping import is_stopping, last_words
from mnist_kedro.tracking.store import (
    TrackingParameters,
    in_a_hurry,
    open_experiment,
    public_reason,
    refusals_told,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from kedro.io import DataCatalog
    from kedro.pipeline import Pipeline

    from mnist_kedro.tracking.run import TrackedRun

logger = logging.getLogger(__name__)


class TrackingHooks:
    """Tracks each run in MLflow, unless `tracking.enabled` is false."""

    def __init__(self) -> None:
        self._run: TrackedRun | None = None
        self._until_end = ExitStack()
        self._process = 0
        self._refused = False
        self._ending = threading.Lock()

    @hook_impl(trylast=True)  # after the hook that gives the run its `provenance`
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog
    ) -> None:
        """Start the run in MLflow.

        Raises:
            ConnectionError: The server does not answer, or does not take the run.
        """
        self._end("KILLED")  # the run before, which Ctrl-C ended in a notebook
        tracking = TrackingParameters.model_validate(catalog.load("params:tracking"))
        if not tracking.enabled:
            return
        project = Path(run_params["project_path"])
        experiment_id = open_experiment(tracking, project)
        from mnist_kedro.tracking.run import TrackedRun

        self._process, self._refused = os.getpid(), False
        atexit.register(self._end, "KILLED")  # after Ctrl-C in a notebook
        self._until_end.callback(atexit.unregister, self._end)
        self._until_end.enter_context(last_words(lambda: self._end("KILLED")))
        with refusals_told(tracking, project):
            self._run = TrackedRun(
                experiment_id, tracking.registered_model, run_params, pipeline, catalog
            )
        self._log(lambda run: run.end_killed_runs(partial(has_ended, project)))
        self._log(lambda run: run.log_parameters(catalog.load("parameters")))
        self._until_end.enter_context(
            CompletedNodes(lambda name: self._log(lambda run: run.log_node(name)))
        )

    @hook_impl
    def after_pipeline_run(self) -> None:
        """Log what is left, and end the run."""
        self._log(lambda run: run.log_rest())
        self._end("FINISHED")

    @hook_impl
    def on_pipeline_error(self, error: Exception) -> None:
        """End the run as failed; the candidates that were finished are logged."""
        self._log(lambda run: run.describe(public_address(f"Failed: {sentence_of(error)}")))
        self._end("KILLED" if is_stopping() else "FAILED")  # a worker may have been stopped first

    def _log(self, step: Callable[[TrackedRun], None]) -> None:
        """Do a step of logging; if that cannot be done, say so and go on without MLflow."""
        if self._run is None or self._refused:
            return
        try:
            step(self._run)
        except Exception as error:  # noqa: BLE001 (each kind of store has errors of its own)
            self._refused = True
            logger.warning(
                "MLflow does not take what this run logs (%s): it goes on untracked, and all "
                "results are saved in the catalog as ever.",
                public_reason(error),
            )

    def _end(self, status: str) -> None:
        """End the run with this status, if it has none yet."""
        if os.getpid() != self._process:
            return  # nothing has begun, or this is a worker
        with self._ending:
            run, self._run = self._run, None
            self._until_end.close()
        if run:
            hurry = in_a_hurry() if self._refused else nullcontext()
            with suppress(Exception), hurry:  # if it fails, it has been said
                run.end(status)
