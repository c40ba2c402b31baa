"""Kedro's start-up in this project, against an empty one."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.commands import KEDRO, PROJECT, run
from benchmarks.measure import Row, compare


def measure_group(_folder: Path, _runs: int) -> tuple[list[Row], list[str]]:
    """Return the row of `kedro registry list`."""
    with TemporaryDirectory() as folder:
        new = ("new", "--name", "empty", "--tools", "none", "--example", "n", "--telemetry", "no")
        run((*KEDRO, *new), Path(folder))
        listing = (*KEDRO, "registry", "list")
        empty = Path(folder) / "empty"
        peers = {"empty Kedro project": (lambda: run(listing, empty), "<= 1.2")}
        return compare("kedro registry list", lambda: run(listing, PROJECT), peers), []
