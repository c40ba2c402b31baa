"""Kedro's start-up in this project, and the import of the package."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.commands import KEDRO, PROJECT, run
from benchmarks.measure import Row, compare


def measure_group(_folder: Path, _runs: int) -> tuple[list[Row], list[str]]:
    """Return the rows of `kedro registry list`, against an empty project, and of the import."""
    with TemporaryDirectory() as folder:
        new = ("new", "--name", "empty", "--tools", "none", "--example", "n", "--telemetry", "no")
        run((*KEDRO, *new), Path(folder))
        listing = (*KEDRO, "registry", "list")
        empty = Path(folder) / "empty"
        peers = {"empty Kedro project": (lambda: run(listing, empty), "<= 1.3")}
        rows = compare("kedro registry list", lambda: run(listing, PROJECT), peers)
    ours, nothing = ((sys.executable, "-c", code) for code in ("import mnist_kedro", ""))
    peers = {"Python itself": (lambda: run(nothing, PROJECT), "")}
    return rows + compare("import mnist_kedro", lambda: run(ours, PROJECT), peers, "ms"), []
