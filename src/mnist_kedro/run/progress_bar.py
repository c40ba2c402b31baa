"""What people see of a run's progress, on standard error: a bar on a terminal, lines in a pipe."""

from __future__ import annotations

import logging
import multiprocessing
import sys
import threading
from time import perf_counter
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Sequence

BAR = "{n_fmt}/{total_fmt} |{bar:20}| {elapsed}  {desc}"

logger = logging.getLogger(__name__)


class Progress:
    """Shows which nodes are done, after how long, and which ones run.

    Args:
        nodes: The names of the run's nodes, `<candidate or stage>.<function>` or `<function>`.
        total: How many of them will run.
    """

    def __init__(self, nodes: Sequence[str], total: int) -> None:
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
            progress = self._done, self._total
            logger.info("%s done %s%s (%d of %d)", _label(name), since or "in ", seconds, *progress)
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
