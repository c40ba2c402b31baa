"""Progress of a run, on standard error: a bar on a terminal, plain lines in a pipe."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import sys
import threading
from contextlib import ExitStack
from time import perf_counter
from typing import TYPE_CHECKING, Any, Self

from kedro.framework.hooks import hook_impl

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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
)
BAR = "{n_fmt}/{total_fmt} |{bar:20}| {elapsed}  {desc}"

logger = logging.getLogger(__name__)


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


class Progress:
    """Shows which nodes are done, after how long, and which ones run.

    Args:
        nodes: The names of the run's nodes, `<candidate or stage>.<function>` or `<function>`.
        total: How many of them will run, `None` where that is not known.
    """

    def __init__(self, nodes: Sequence[str], total: int | None) -> None:
        from tqdm import tqdm

        self._lock = multiprocessing.RLock()
        if sys.stderr.isatty():
            # tqdm's own lock stays locked for ever in a worker that is forked at the wrong moment.
            tqdm.set_lock(self._lock)
            tqdm.monitor_interval = 0  # no thread of tqdm's: `_tick` does what it would do
        self._bar = tqdm(total=total, bar_format=BAR, disable=None, leave=False, dynamic_ncols=True)
        self._total = total
        self._done = 0
        self._start = perf_counter()
        self._running: dict[str, float] = {}
        self._widths = [max(map(len, parts)) for parts in zip(*map(_parts, nodes), strict=True)]
        self._closed = threading.Event()
        self._clock = threading.Thread(target=self._tick, daemon=True)

    def __enter__(self) -> Self:
        if not self._bar.disable:
            self._clock.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        if self._clock.is_alive():
            self._clock.join()
        self._bar.close()

    @property
    def on_terminal(self) -> bool:
        """Whether there is a bar."""
        return not self._bar.disable

    def begin(self, name: str) -> None:
        """Show that a node runs."""
        if name not in self._running:
            self._running[name] = perf_counter()
            self._draw()

    def complete(self, name: str) -> None:
        """Show that a node is done."""
        self._done += 1
        begun = self._running.pop(name, None)
        # Nobody tells when a worker process begins a node.
        since, start = ("after ", self._start) if begun is None else ("", begun)
        seconds = duration(perf_counter() - start)
        if self._bar.disable:
            label, total = _label(name), self._total or "?"
            logger.info(
                "%s done %s%s (%d of %s)", label, since or "in ", seconds, self._done, total
            )
        else:
            columns = zip(_parts(name), self._widths, strict=True)
            text = "  ".join(part.ljust(width) for part, width in columns if width)
            self._bar.write(f"{text}{since + seconds:>14}", file=sys.stderr)
            self._bar.n = self._done
            self._draw()

    def _draw(self) -> None:
        # Ctrl-C inside tqdm leaves the lock locked: whoever waited for it would wait for ever.
        if self._lock.acquire(block=False):
            try:
                running = ", ".join(map(_label, list(self._running)))
                self._bar.set_description_str(running, refresh=False)
                self._bar.refresh(nolock=True)
            finally:
                self._lock.release()

    def _tick(self) -> None:
        while not self._closed.wait(1):
            self._draw()


class ProgressHooks:
    """Shows the progress of `kedro run`."""

    def __init__(self) -> None:
        self._shown = ExitStack()
        self._progress: Progress | None = None
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._become_worker)

    @hook_impl(trylast=True)  # after the checks
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline) -> None:
        """Begin to show progress."""
        self.close()
        names = [node.name for node in pipeline.nodes]
        # Kedro decides later which outputs are missing.
        total = None if run_params["only_missing_outputs"] else len(names)
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
        """Show nothing in a process that is forked during a run, and let Ctrl-C end it at once.

        Python would print a traceback there, or carry on with the next node.
        """
        if self._progress:
            self._progress = None
            signal.signal(signal.SIGINT, signal.SIG_DFL)


progress_hooks = ProgressHooks()


def duration(seconds: float) -> str:
    """Return seconds as people read them: `10.8 s`, `2 min 5 s`."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s"


def _parts(name: str) -> tuple[str, str]:
    """Return the candidate or stage of a node, empty where it has none, and its function."""
    namespace, _, function = name.rpartition(".")
    return namespace, function


def _label(name: str) -> str:
    return ": ".join(filter(None, _parts(name)))


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
