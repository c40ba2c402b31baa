"""The default run, against a bare script that does the same fits and nothing else."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from benchmarks.commands import KEDRO, PROJECT, run_timed
from benchmarks.measure import Row, announce, check_accuracy, in_turn

BARE_SCRIPT = Path(__file__).with_name("bare_script.py")
DEFAULT_RUN = "the default kedro run"
SAME_SETTINGS = 0.015  # by which an accuracy may differ between the run and the script


@dataclass(frozen=True)
class Outcome:
    """What one default run, or one bare script, took and found."""

    seconds: float
    megabytes: float  # of the largest process, at its peak
    champion: str
    accuracies: dict[str, float]  # on validation images by candidate, and "test" of the champion


def measure_group(folder: Path, runs: int) -> tuple[list[Row], list[str]]:
    """Return the rows of time and memory, and a note with the accuracies."""
    peer = "bare script"
    announce(DEFAULT_RUN, peer)
    sides = [lambda: run_project(folder), lambda: run_bare_script(folder)]
    ours, theirs = in_turn(sides, runs)
    check_same_work(ours[0], theirs[0])
    rows = [
        Row.of(
            DEFAULT_RUN,
            peer,
            ours=[outcome.seconds for outcome in ours],
            theirs=[outcome.seconds for outcome in theirs],
            goal="<= 1.35",
            unit="s",
        ),
        Row.of(
            f"{DEFAULT_RUN}, peak memory",
            peer,
            ours=[outcome.megabytes for outcome in ours],
            theirs=[outcome.megabytes for outcome in theirs],
            goal="ours <= 1,200 MB",
            unit="MB",
        ),
    ]
    note = ", ".join(
        f"{name} {accuracy:.2%} / {theirs[0].accuracies[name]:.2%}"
        for name, accuracy in ours[0].accuracies.items()
    )
    return rows, [f"Accuracies of the default run, ours / {peer}: {note}"]


def run_project(folder: Path) -> Outcome:
    """Do the default run in a copy of the project that has its settings and no data."""
    with TemporaryDirectory() as temporary:
        copy = copy_project(Path(temporary))
        source = f"data_ingestion.source={folder.resolve()}"
        measured = run_timed((*KEDRO, "run", "--params", source), copy)
        reporting = copy / "data" / "08_reporting"
        board = pd.read_csv(next(reporting.glob("leaderboard.csv/*/*")))
        final = json.loads(next(reporting.glob("final_metrics.json/*/*")).read_text())
    accuracies = dict(zip(board["candidate"], board["validation_accuracy"], strict=True))
    accuracies["test"] = final["test_accuracy"]
    return Outcome(measured["seconds"], measured["megabytes"], final["candidate"], accuracies)


def copy_project(folder: Path) -> Path:
    """Copy the project's settings, without data, into a folder; return it."""
    for name in ("pyproject.toml", ".telemetry"):
        shutil.copy(PROJECT / name, folder)
    shutil.copytree(PROJECT / "conf", folder / "conf", ignore=shutil.ignore_patterns("local"))
    (folder / "conf" / "local").mkdir()
    (folder / "src").mkdir()  # Kedro wants one; the package itself is installed
    return folder


def run_bare_script(folder: Path) -> Outcome:
    """Do the same work without the project."""
    measured = run_timed((sys.executable, str(BARE_SCRIPT), str(folder.resolve())), PROJECT)
    found = json.loads(measured["output"])
    return Outcome(
        measured["seconds"], measured["megabytes"], found["champion"], found["accuracies"]
    )


def check_same_work(ours: Outcome, theirs: Outcome) -> None:
    """Make sure that both fitted the same candidates, equally well, and refitted the same one.

    Raises:
        ValueError: They did not.
    """
    found = [(outcome.champion, sorted(outcome.accuracies)) for outcome in (ours, theirs)]
    if found[0] != found[1]:
        raise ValueError(
            f"expected the bare script to have the candidates and the champion of the default run, "
            f"{found[0]}, found {found[1]}"
        )
    for name, accuracy in ours.accuracies.items():
        check_accuracy(name, accuracy, theirs.accuracies[name], SAME_SETTINGS)
