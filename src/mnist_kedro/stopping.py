"""Ctrl-C and SIGTERM: a run ends within seconds, with a true status and the usual exit code.

What Python does by default is not enough: libraries swallow the exception, pools of workers first
do all their work, and Kedro tells its hooks nothing. Saved files need no care, they are whole.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECONDS = 3.0  # for what is still to be said
NAMES = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}
ERASE_BELOW = "\r\x1b[J"  # the line and all below it
SHELL = 128  # what shells add to a signal's number
GLANCE_SECONDS = 0.2  # after which a worker looks again for its parent

_last_words: list[Callable[[], None]] = []  # of the run under way
_ending = threading.Event()


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end this process, in a context of the main thread."""

    def stop(number: int, _: object) -> None:
        for each in NAMES:
            signal.signal(each, signal.SIG_IGN)  # once is enough
        _ending.set()
        # In a thread, because what the signal has interrupted may hold a lock that is needed.
        threading.Thread(target=_end, args=(number,), daemon=True).start()

    before = {number: signal.signal(number, stop) for number in NAMES}
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_end_with_the_run)
    try:
        yield
    finally:
        while is_stopping():  # else what fails now because of that would be told as an error
            time.sleep(SECONDS)
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def last_words(say: Callable[[], None]) -> Iterator[None]:
    """Call `say`, in another thread, if a signal ends the process within this context."""
    _last_words.append(say)
    try:
        yield
    finally:
        if not is_stopping():
            _last_words.remove(say)


def is_stopping() -> bool:
    """Tell whether a signal is ending this process."""
    return _ending.is_set()


def _end(number: int) -> None:
    """Say the last words, stop the workers and exit."""
    words = threading.Thread(target=_say_last_words, daemon=True)
    words.start()
    words.join(SECONDS)
    for worker in multiprocessing.active_children():
        worker.kill()  # SIGTERM is lost on one that is just being forked
    _stop_drawing()
    with suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.write(f"Stopped by {NAMES[signal.Signals(number)]}.\n")
        sys.stderr.flush()
    os._exit(SHELL + number)


def _stop_drawing() -> None:
    """Remove progress bars, and let nobody draw any more."""
    if tqdm := sys.modules.get("tqdm"):
        tqdm.tqdm.get_lock().acquire(timeout=1)
    if sys.stderr.isatty():
        sys.stderr.write(ERASE_BELOW)


def _say_last_words() -> None:
    for say in reversed(_last_words.copy()):
        say()


def _end_with_the_run() -> None:
    """Let signals end a worker, which Python would let carry on with the next node.

    So does the end of the run: after kill -9, workers would wait for more work for ever.
    """
    for number in NAMES:
        signal.signal(number, signal.SIG_DFL)
    threading.Thread(target=_end_after, args=(os.getppid(),), daemon=True).start()


def _end_after(parent: int) -> None:
    """End this process when its parent has ended."""
    while os.getppid() == parent:
        time.sleep(GLANCE_SECONDS)
    os._exit(1)
