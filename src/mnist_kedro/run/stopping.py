"""Ctrl-C and SIGTERM: a run ends within seconds, with a true status and the usual exit code.

What Python does by default is not enough: libraries swallow the exception, pools of workers first
do all their work, and Kedro tells its hooks nothing. Saved files need no care, they are whole.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECONDS = 3.0  # for what is still to be said
NAMES = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}
ERASE_BELOW = "\r\x1b[J"  # the line and all below it
# SIGTERM is lost on a worker that is just being forked; Windows has nothing else.
KILL = getattr(signal, "SIGKILL", signal.SIGTERM)
SHELL = 128  # what shells add to a signal's number
GLANCE_SECONDS = 0.2  # after which a worker looks again for its parent

_last_words: list[Callable[[], None]] = []  # of the run under way
_ending = threading.Event()
_watched: list[int] = []  # signals
_forking: list[int] = []  # the process that forked last


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end this process.

    Does nothing outside of the main thread and in notebooks, where the process is not ours to end.
    """
    if threading.current_thread() is not threading.main_thread() or hasattr(sys, "ps1"):
        yield
        return
    before = {number: signal.getsignal(number) for number in NAMES}
    watched = [number for number in NAMES if before[number] is not signal.SIG_IGN]
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    # Python calls handlers between its own instructions, maybe minutes later; this tells at once.
    wake_up = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    for number in watched:
        signal.signal(number, lambda *_: _ending.set())
    _watched.extend(watched)
    threading.Thread(target=_wait_for_signal, args=(reader,), daemon=True).start()
    try:
        yield
    finally:
        while is_stopping():  # else what fails now because of that would be told as an error
            time.sleep(SECONDS)
        _watched.clear()
        signal.set_wakeup_fd(wake_up)
        for number in watched:
            signal.signal(number, before[number])
        writer.close()


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


def _wait_for_signal(reader: socket.socket) -> None:
    with reader:
        while number := reader.recv(1):
            if number[0] in _watched:
                _ending.set()
                _end(number[0])


def _end(number: int) -> None:
    """Say the last words, stop the workers and exit."""
    try:
        words = threading.Thread(target=_say_last_words, daemon=True)
        words.start()
        words.join(SECONDS)
        for worker in multiprocessing.active_children():
            with suppress(OSError):  # it has ended by itself
                os.kill(cast("int", worker.pid), KILL)  # joblib's have no method `kill`
        _stop_drawing()
        with suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.write(f"Stopped by {NAMES[signal.Signals(number)]}.\n")
            sys.stderr.flush()
    finally:  # whatever happens here, or the main thread would wait for ever
        os._exit(SHELL + number)


def _stop_drawing() -> None:
    """Remove progress bars, and let nobody draw any more."""
    if tqdm := sys.modules.get("tqdm"):
        tqdm.tqdm.get_lock().acquire(timeout=SECONDS / 10)
    if sys.stderr.isatty():
        sys.stderr.write(ERASE_BELOW)


def _say_last_words() -> None:
    for say in reversed(_last_words.copy()):
        say()


def _end_with_the_run() -> None:
    """Let signals end a worker, which Python would let carry on with the next node.

    So does the end of the run: after kill -9, workers would wait for more work for ever.
    """
    if _watched:
        signal.set_wakeup_fd(-1)
        for number in _watched:
            signal.signal(number, signal.SIG_DFL)
        threading.Thread(target=_end_after, args=(_forking[-1],), daemon=True).start()


def _end_after(parent: int) -> None:
    """End this process when its parent has ended."""
    while os.getppid() == parent:
        time.sleep(GLANCE_SECONDS)
    os._exit(1)


def _note_parent() -> None:
    """Keep the id of the process that forks: it may have ended before its worker asks for it."""
    _forking[:] = [os.getpid()]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_note_parent, after_in_child=_end_with_the_run)
