"""Two sides measured in turn, and the row that comes of it."""

from __future__ import annotations

import statistics
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

SHORT_RUNS = 9  # of each side, of what takes seconds at most
UNITS_PER_SECOND = {"s": 1, "ms": 1000}

T = TypeVar("T")


@dataclass(frozen=True)
class Row:
    """One comparison: medians of ours and of the peer's, in `unit`."""

    name: str
    peer: str
    ours: float
    theirs: float
    goal: str
    unit: str

    @classmethod
    def of(
        cls,
        name: str,
        peer: str,
        ours: Iterable[float],
        theirs: Iterable[float],
        goal: str,
        unit: str,
    ) -> Row:
        """Return the row with the medians of these measurements."""
        return cls(name, peer, statistics.median(ours), statistics.median(theirs), goal, unit)

    @property
    def ratio(self) -> float:
        """Ours divided by theirs."""
        return self.ours / self.theirs


def compare(
    name: str,
    peer: str,
    ours: Callable[[], object],
    theirs: Callable[[], object],
    goal: str,
    unit: str = "s",
) -> Row:
    """Time two functions in turn, after one call of each that does not count."""
    announce(name, peer)
    ours()
    theirs()
    times = in_turn(lambda: timed(ours, unit), lambda: timed(theirs, unit), runs=SHORT_RUNS)
    return Row.of(name, peer, *times, goal, unit)


def in_turn(ours: Callable[[], T], theirs: Callable[[], T], runs: int) -> tuple[list[T], list[T]]:
    """Call A B A B …, so that whatever else the machine does meets both; return all results."""
    results = [(ours(), theirs()) for _ in range(runs)]
    return [our for our, _ in results], [their for _, their in results]


def timed(function: Callable[[], object], unit: str) -> float:
    """Return how long one call takes."""
    start = time.perf_counter()
    function()
    return UNITS_PER_SECOND[unit] * (time.perf_counter() - start)


def announce(name: str, peer: str) -> None:
    """Say on standard error what is being measured."""
    print(f"Measuring {name} against {peer} ...", file=sys.stderr, flush=True)


def check_accuracy(what: str, ours: float, theirs: float, tolerance: float) -> None:
    """Make sure that both sides do the same work.

    Raises:
        ValueError: One of them has learned less than the other.
    """
    if abs(ours - theirs) > tolerance:
        raise ValueError(
            f"expected the accuracies of {what} to differ by at most {tolerance:.1%}, found "
            f"{ours:.2%} (ours) and {theirs:.2%}: these two cannot be compared"
        )
