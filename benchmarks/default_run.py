"""The default run, against a bare script that does the same fits and nothing else."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from benchmarks.commands import KEDRO, PROJECT, run_timed
from benchmarks.measure import Row, announce, check_accuracy, in_turn

BARE_SCRIPT = Path(__file__).with_name("bare_script.py")
PEER = "bare script"
DEFAULT_RUN = "the default kedro run"
MEASURES = {  # name: key, goal, unit
    DEFAULT_RUN: ("seconds", "<= 1.2", "s"),
    f"{DEFAULT_RUN}, peak memory": ("megabytes", "ours <= 900 MB", "MB"),
}
SAME_SETTINGS = 0.015  # by which an accuracy may differ between the run and the script


def measure_group(folder: Path, runs: int) -> tuple[list[Row], list[str]]:
    """Return the rows of time and memory, and a note with the accuracies.

    Raises:
        ValueError: The sides did not do the same work.
    """
    announce(DEFAULT_RUN, PEER)
    sides = [lambda: run_project(folder), lambda: run_bare_script(folder)]
    ours, theirs = in_turn(sides, runs)
    if ours[0]["champion"] != theirs[0]["champion"]:
        raise ValueError(
            f"expected the bare script to have the champion of the default run, "
            f"{ours[0]['champion']}, found {theirs[0]['champion']}"
        )
    pairs = {n: (each, theirs[0]["accuracies"][n]) for n, each in ours[0]["accuracies"].items()}
    for name, (our, their) in pairs.items():
        check_accuracy(name, our, their, SAME_SETTINGS)
    rows = [
        Row.of(name, PEER, [each[key] for each in ours], [each[key] for each in theirs], goal, unit)
        for name, (key, goal, unit) in MEASURES.items()
    ]
    note = ", ".join(f"{name} {our:.2%} / {their:.2%}" for name, (our, their) in pairs.items())
    return rows, [f"Accuracies of the default run, ours / {PEER}: {note}"]


def run_project(folder: Path) -> dict[str, Any]:
    """Do the default run in a copy of the project that has its settings and no data.

    Returns:
        Its `seconds`, the `megabytes` of the largest process at its peak, the `champion`, and
        `accuracies` on validation images by candidate, with `test` of the champion.
    """
    with TemporaryDirectory() as temporary:
        copy = copy_project(Path(temporary))
        source = f"data_ingestion.source={folder.resolve()}"
        measured = run_timed((*KEDRO, "run", "--params", source), copy)
        reporting = copy / "data" / "08_reporting"
        board = pd.read_csv(next(reporting.glob("leaderboard.csv/*/*")))
        final = json.loads(next(reporting.glob("final_metrics.json/*/*")).read_text())
    accuracies = dict(zip(board["candidate"], board["validation_accuracy"], strict=True))
    accuracies["test"] = final["test_accuracy"]
    return measured | {"champion": final["candidate"], "accuracies": accuracies}


def copy_project(folder: Path) -> Path:
    """Copy the project's settings, without data, into a folder; return it."""
    for name in ("pyproject.toml", ".telemetry"):
        shutil.copy(PROJECT / name, folder)
    shutil.copytree(PROJECT / "conf", folder / "conf", ignore=shutil.ignore_patterns("local"))
    (folder / "conf" / "local").mkdir()
    (folder / "src").mkdir()  # Kedro wants one; the package itself is installed
    return folder


def run_bare_script(folder: Path) -> dict[str, Any]:
    """Do the same work without the project; return what `run_project` does."""
    measured = run_timed((sys.executable, str(BARE_SCRIPT), str(folder.resolve())), PROJECT)
    return measured | json.loads(measured["output"])
