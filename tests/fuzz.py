"""Try changed files for minutes: `python -m tests.fuzz --minutes 3`.

Each target has a process of its own, with limits to the memory it takes and to the time of each
input. An input that is neither read nor refused is kept in `build/fuzz/`, as small as possible,
with a log that says what happened.
"""

import argparse
import faulthandler
import logging
import os
import resource
import signal
import sys
import time
import traceback
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from rich.console import Console
from rich.table import Table

from tests.targets import TARGETS

FOLDER = Path("build", "fuzz")
SECONDS = 5  # for one input
MEMORY = 4 * 2**30  # bytes of address space; libraries take most of it, and little memory
PROFILE = settings(
    max_examples=500,  # between two looks at the clock; Hypothesis remembers them
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
BYTES = 1 if sys.platform == "darwin" else 1024  # in which the system counts peak memory
WIDTH = 100  # columns of the table in a file


@dataclass
class Tally:
    """What came of the inputs; `slowest` in seconds, `peak` in bytes of the whole process."""

    tried: int = 0
    read: int = 0
    slowest: float = 0.0
    peak: int = 0
    failed: bool = False

    def try_input(self, target, path, data):
        """Try one input; an alarm ends the process if it takes too long."""
        path.write_bytes(data)
        signal.setitimer(signal.ITIMER_REAL, SECONDS)
        start = time.perf_counter()
        try:
            self.read += target.read(path)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            self.slowest = max(self.slowest, time.perf_counter() - start)
            self.tried += 1


def fuzz(target, path, seconds):
    """Try inputs until the time is over, or until one fails, which is then what `path` holds."""
    path.write_bytes(target.corpus[0])
    target.read(path)  # imports and prepares what it needs, which takes longer than an input may
    tally = Tally()

    @PROFILE
    @given(data=target.inputs)
    def try_some(data):
        tally.try_input(target, path, data)

    end = time.monotonic() + seconds
    try:
        while time.monotonic() < end:
            try_some()
        path.unlink()
    except Exception:  # noqa: BLE001 (whatever it is, it was looked for)
        traceback.print_exc()
        tally.failed = True
    tally.peak = BYTES * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return tally


def fuzz_in_limits(name, seconds):
    """Do so in a process that does nothing else; decoders in C write to its standard error too."""
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, most))
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # refusals are many
    with log_of(name).open("wb") as log:
        os.dup2(log.fileno(), sys.stderr.fileno())
    faulthandler.register(signal.SIGALRM, chain=True)  # says where it was
    return fuzz(TARGETS[name], FOLDER / name, seconds)


def log_of(name):
    """Return the path of a target's log."""
    return FOLDER / f"{name}.log"


def run_apart(function, *arguments):
    """Return the tally of a function that runs in a process of its own, even if that ends."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        try:
            return pool.submit(function, *arguments).result()
        except BrokenProcessPool:
            return Tally(failed=True)


def table_of(tallies):
    """Return the table with a row per target."""
    table = Table(title="Changed files and requests", title_justify="left")
    for column in ("target", "tried", "read", "refused", "slowest", "peak memory"):
        table.add_column(column, justify="left" if column == "target" else "right")
    for name, tally in tallies.items():
        counts = (tally.tried, tally.read, tally.tried - tally.read)
        slowest, peak = f"{1000 * tally.slowest:,.0f} ms", f"{tally.peak / 1e6:,.0f} MB"
        table.add_row(name, *(f"{count:,}" for count in counts), slowest, peak)
    return table


def main(arguments=None):
    """Fuzz all targets, or some; return 1 if an input was neither read nor refused."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--minutes", type=float, default=3, help="in all (%(default)s)")
    options = parser.parse_args(arguments)
    names = options.targets or list(TARGETS)
    if unknown := set(names) - set(TARGETS):
        parser.error(f"expected targets of {', '.join(TARGETS)}, found {', '.join(unknown)}")
    FOLDER.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # each thread takes address space
    seconds = 60 * options.minutes / len(names)
    tallies = {name: run_apart(fuzz_in_limits, name, seconds) for name in names}
    console = Console(highlight=False)
    console = console if console.is_terminal else Console(width=WIDTH, highlight=False)
    console.print(table_of(tallies))
    console.print(f"{sum(tally.tried for tally in tallies.values()):,} inputs tried")
    failed = [name for name, tally in tallies.items() if tally.failed]
    for name in failed:
        console.print(f"Neither read nor refused: {FOLDER / name}; {log_of(name)} says how")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
