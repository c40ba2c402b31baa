"""Two sides measured in turn, and the row that comes of it."""

from __future__ import annotations

import random
import statistics
import sys
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

SHORT_RUNS = 9  # of each side, of what takes a second at most
LONG_RUNS = 5  # of what takes longer
UNITS_PER_SECOND = {"s": 1, "ms": 1e3, "µs": 1e6}

T = TypeVar("T")


@dataclass(frozen=True)
class Row:
    """One comparison: medians of ours and of the peer's in `unit`, of so many runs of the peer."""

    name: str
    peer: str
    ours: float
    theirs: float
    goal: str
    unit: str
    runs: int

    @classmethod
    def of(
        cls,
        name: str,
        peer: str,
        ours: Sequence[float],
        theirs: Sequence[float],
        goal: str,
        unit: str,
    ) -> Row:
        """Return the row with the medians of these measurements."""
        medians = statistics.median(ours), statistics.median(theirs)
        return cls(name, peer, *medians, goal, unit, len(theirs))

    @property
    def ratio(self) -> float:
        """Ours divided by theirs."""
        return self.ours / self.theirs


def compare(
    name: str,
    ours: Callable[[], object],
    peers: Mapping[str, tuple[Callable[[], object], str]],
    unit: str = "s",
    runs: int = SHORT_RUNS,
) -> list[Row]:
    """Time our side and its peers in turn, after one call of each that does not count.

    Args:
        name: Of what is done.
        ours: Does it our way.
        peers: By name, what does it the peer's way, and the goal of that row.
        unit: Of the times.
        runs: Of each side.
    """
    announce(name, *peers)
    sides = [ours, *(side for side, _ in peers.values())]
    for side in sides:
        side()
    our_times, *their_times = in_turn([partial(timed, side, unit) for side in sides], runs)
    return [
        Row.of(name, peer, our_times, times, goal, unit)
        for (peer, (_, goal)), times in zip(peers.items(), their_times, strict=True)
    ]


def in_turn(sides: Sequence[Callable[[], T]], runs: int) -> list[list[T]]:
    """Call each side once a round, so that whatever else the machine does meets all.

    Each round has an order of its own: what a side leaves behind, such as a warm cache, is not
    always met by the same one.

    Returns:
        The results by side.
    """
    results: list[list[T]] = [[] for _ in sides]
    draw = random.Random(0)  # noqa: S311 (nothing secret)
    for _ in range(runs):
        for number in draw.sample(range(len(sides)), k=len(sides)):
            results[number].append(sides[number]())
    return results


def timed(function: Callable[[], object], unit: str) -> float:
    """Return how long one call takes."""
    start = time.perf_counter()
    function()
    return UNITS_PER_SECOND[unit] * (time.perf_counter() - start)


def announce(name: str, *peers: str) -> None:
    """Say on standard error what is being measured."""
    print(f"Measuring {name} against {', '.join(peers)} ...", file=sys.stderr, flush=True)


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
