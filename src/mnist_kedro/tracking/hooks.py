"""When MLflow learns of a run: at its start, as soon as a model is saved, and at its end.

Everything is logged from the main process, from what was saved, so it is the same under every
runner, and no node knows of it. MLflow is imported only when a run tracks: that takes seconds.
"""

from __future__ import annotations

import atexit
import logging
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from kedro.framework.hooks import hook_impl

from mnist_kedro.parameters import public_address
from mnist_kedro.tracking.store import (
    TrackingParameters,
    open_store,
    public_reason,
    reached,
    refusals,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from kedro.io import DataCatalog
    from kedro.pipeline import Pipeline

    from mnist_kedro.tracking.tracked_run import TrackedRun

logger = logging.getLogger(__name__)


class TrackingHooks:
    """Tracks each run in MLflow, unless `tracking.enabled` is false."""

    def __init__(self) -> None:
        # By process, too: one that is forked during a run must not log it.
        self._runs: dict[tuple[int, str | None], TrackedRun] = {}
        atexit.register(self._end_all)  # Kedro calls no hook after Ctrl-C

    @hook_impl
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog
    ) -> None:
        """Start the run in MLflow.

        Raises:
            UserError: The server or database does not answer, or does not take the run.
        """
        parameters = TrackingParameters.model_validate(catalog.load("params:tracking"))
        if not parameters.enabled:
            return
        project, run_id = Path(run_params["project_path"]), run_params["run_id"]
        hint = ", or add --params tracking.enabled=false"
        with reached(parameters.address(project), hint):
            client = open_store(parameters, project)
            from mnist_kedro.tracking.tracked_run import TrackedRun

            run = TrackedRun(client, parameters, run_params, pipeline, catalog)
        self._runs[os.getpid(), run_id] = run

    @hook_impl
    def before_node_run(self, run_id: str | None) -> None:
        """Log the models that were saved before this node."""
        self._log(run_id, lambda run: run.log_models())

    @hook_impl(wrapper=True)
    def after_pipeline_run(self, run_params: dict[str, Any]) -> Generator[None, Any, Any]:
        """Log what is left, and end the run; after the summary, say where it is."""
        run_id = run_params["run_id"]
        self._log(run_id, lambda run: run.log_rest())
        run = self._end(run_id, "FINISHED")
        result = yield
        if run:
            click.echo(f"{click.style('MLflow', bold=True)}    {run.way_there()}")
        return result

    @hook_impl
    def on_pipeline_error(self, error: Exception, run_params: dict[str, Any]) -> None:
        """Log what was finished, and end the run as failed."""
        run_id, reason = run_params["run_id"], public_address(f"Failed: {error}")
        self._log(run_id, lambda run: run.log_rest(reason))
        self._end(run_id, "FAILED")

    def _log(self, run_id: str | None, step: Callable[[TrackedRun], None]) -> None:
        """Do a step of logging; if that cannot be done, say so and go on without MLflow."""
        run = self._runs.get((os.getpid(), run_id))
        if run is None:
            return
        try:
            step(run)
        except Exception as error:  # a run that MLflow fails goes on
            if self._end(run_id, "FAILED"):
                logger.warning(
                    "MLflow does not take what this run logs (%s): it goes on untracked, and all "
                    "results are saved in the catalog as ever.",
                    public_reason(error),
                    exc_info=not isinstance(error, refusals()),  # a bug
                )

    def _end_all(self) -> None:
        """End what has not ended when this process does."""
        for process, run_id in list(self._runs):
            if process == os.getpid():
                self._end(run_id, "KILLED")

    def _end(self, run_id: str | None, status: str) -> TrackedRun | None:
        """End a run with this status; return it if it was tracked until now."""
        run = self._runs.pop((os.getpid(), run_id), None)
        if run:
            with suppress(Exception):  # what can be said of a server that fails has been said
                run.end(status)
        return run
