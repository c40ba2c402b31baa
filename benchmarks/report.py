"""Rows as a table for people and as a file for programs."""

from __future__ import annotations

import json
import os
import platform
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmarks.measure import Row

DIGITS = 4  # significant ones, in the file
NARROWEST = 120  # columns; what is piped into a file has no width of its own
ROUNDED_FROM = 100  # in the table, to whole numbers
PACKAGES = ("torch", "scikit-learn", "skorch", "onnxruntime", "kedro")


def print_report(rows: Iterable[Row], title: str, notes: Iterable[str]) -> None:
    """Print the table, then the notes."""
    table = Table(title=title, title_justify="left")
    table.add_column("what")
    table.add_column("peer")
    for column in ("ours", "theirs", "ratio", "goal", "runs"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        ours, theirs = (f"{readable(value)} {row.unit}" for value in (row.ours, row.theirs))
        table.add_row(
            row.name, row.peer, ours, theirs, readable(row.ratio), row.goal, str(row.runs)
        )
    console = Console(highlight=False)
    console = console if console.is_terminal else Console(width=NARROWEST, highlight=False)
    console.print(table)
    for note in (*notes, describe_machine()):
        console.print(note)


def write_results(group: str, rows: Iterable[Row], path: Path) -> None:
    """Put the rows of a group in the place of its earlier ones, in a JSON list."""
    earlier = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    results = [result for result in earlier if result["group"] != group]
    results += [
        {
            "group": group,
            "date": date.today().isoformat(),
            "name": row.name,
            "peer": row.peer,
            "ours": significant(row.ours),
            "theirs": significant(row.theirs),
            "ratio": significant(row.ratio),
            "goal": row.goal,
            "unit": row.unit,
            "runs": row.runs,
        }
        for row in rows
    ]
    path.write_text(f"{json.dumps(results, indent=2)}\n", encoding="utf-8")


def describe_machine() -> str:
    """Return where, with what and when this was measured, as a line."""
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return (
        f"{processor()}, {os.cpu_count()} cores; Python {platform.python_version()}, {packages}; "
        f"{date.today().isoformat()}"
    )


def processor() -> str:
    """Return the model of the processor, or its architecture where the system does not say."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    models = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor() or platform.machine())


def readable(value: float) -> str:
    """Return a number as people read it."""
    return f"{value:,.0f}" if value >= ROUNDED_FROM else f"{value:.3g}"


def significant(value: float) -> float:
    """Return a number without the digits that mean nothing."""
    return float(f"{value:.{DIGITS}g}")
