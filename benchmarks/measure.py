"""Two sides measured in turn, and the rows that come of it."""

from __future__ import annotations

import random
import statistics
import sys
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

SHORT_RUNS = 9  # of each side, of what takes a second at most
LONG_RUNS = 5  # of what takes longer
UNITS_PER_SECOND = {"s": 1, "ms": 1e3}
COLUMNS = 120  # of the table, where it is no terminal that has a width

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


def print_report(rows: Iterable[Row], title: str, notes: Iterable[str]) -> None:
    """Print a table of the rows, then the notes."""
    table = Table("what", "peer", title=title, title_justify="left")
    for column in ("ours", "theirs", "ratio", "goal", "runs"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        ours, theirs = (f"{readable(value)} {row.unit}" for value in (row.ours, row.theirs))
        numbers = (ours, theirs, readable(row.ratio), row.goal, str(row.runs))
        table.add_row(row.name, row.peer, *numbers)
    console = Console(highlight=False)
    console = console if console.is_terminal else Console(width=COLUMNS, highlight=False)
    console.print(table, *notes, sep="\n")


def readable(value: float) -> str:
    """Return a number as people read it."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"  # noqa: PLR2004 (three digits)
