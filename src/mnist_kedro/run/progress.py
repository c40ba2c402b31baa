"""Progress of a run: which nodes are done, told to whoever asks, and shown while it runs."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self

from kedro.framework.hooks import hook_impl

from mnist_kedro.run.progress_bar import Progress

if TYPE_CHECKING:
    from collections.abc import Callable

    from kedro.io import DataCatalog
    from kedro.pipeline import Pipeline
    from kedro.pipeline.node import Node

RUNNERS = "kedro.runner"  # the logger above those of Kedro's runners
COMPLETED = "Completed node: %s"
# How Kedro's lines begin that this module says better, or that say nothing new.
REPEATED = (
    COMPLETED,
    "Completed %d out of",
    "Using synchronous mode",
    "Pipeline execution completed",
    "No nodes ran",
    "There are ",  # nodes that have not run; our hooks say how to go on
)


class CompletedNodes(logging.Handler):
    """Calls back with the name of each node that is done and saved, while its context is open.

    Under every runner this happens in the main process, from what the runners log: hooks of nodes
    are called in the processes that run them. Where the user silences `kedro.runner`, it never
    calls. What the callback raises ends the run.
    """

    def __init__(self, callback: Callable[[str], None]) -> None:
        super().__init__()
        self._callback = callback

    def emit(self, record: logging.LogRecord) -> None:
        """Call back, if the record tells of a completed node."""
        if record.msg == COMPLETED and isinstance(record.args, tuple):
            self._callback(str(record.args[0]))

    def __enter__(self) -> Self:
        logging.getLogger(RUNNERS).addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger(RUNNERS).removeHandler(self)


class ProgressHooks:
    """Shows the progress of `kedro run`."""

    def __init__(self) -> None:
        self._shown = ExitStack()
        self._progress: Progress | None = None
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._become_worker)

    @hook_impl(trylast=True)  # after the checks
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog
    ) -> None:
        """Begin to show progress."""
        self.close()
        names = [node.name for node in pipeline.nodes]
        total = len(names)
        if run_params["only_missing_outputs"]:
            provenance = catalog.load("provenance")
            versions, run_id = provenance["versions"], provenance["run_id"]
            total = sum(any(versions[k] == run_id for k in n.outputs) for n in pipeline.nodes)
        self._progress = self._shown.enter_context(Progress(names, total))
        self._shown.enter_context(CompletedNodes(self._progress.complete))
        _tidy_logging(self._shown, self._progress.on_terminal)

    @hook_impl
    def before_dataset_loaded(self, node: Node) -> None:
        """Show that a node runs; its first input is the first that is heard of it."""
        if self._progress:
            self._progress.begin(node.name)

    @hook_impl(tryfirst=True)  # before the summary
    def after_pipeline_run(self) -> None:
        """Remove the bar."""
        self.close()

    @hook_impl(tryfirst=True)
    def on_pipeline_error(self) -> None:
        """Remove the bar."""
        self.close()

    def close(self) -> None:
        """Remove the bar and leave logging as it was; does nothing where there is no bar."""
        self._progress = None
        self._shown.close()

    def _become_worker(self) -> None:
        """Show nothing in a process that is forked during a run."""
        self._progress = None


progress_hooks = ProgressHooks()


def _tidy_logging(until: ExitStack, on_terminal: bool) -> None:
    """Keep what repeats the progress off the console, and all other lines above the bar."""
    from tqdm.contrib import DummyTqdmFile

    if on_terminal:
        logging.captureWarnings(True)
        until.callback(logging.captureWarnings, False)
    for handler in logging.root.handlers:
        if isinstance(handler, logging.StreamHandler) and handler.stream in (
            sys.stdout,
            sys.stderr,
        ):
            handler.addFilter(_says_something_new)
            until.callback(handler.removeFilter, _says_something_new)
            if on_terminal:
                until.callback(handler.setStream, handler.stream)
                handler.setStream(DummyTqdmFile(handler.stream))


def _says_something_new(record: logging.LogRecord) -> bool:
    return not (record.name.startswith(RUNNERS) and str(record.msg).startswith(REPEATED))
