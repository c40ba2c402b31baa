"""Whole commands: the default run against a bare script, and Kedro's start-up in this project."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from benchmarks.measure import Row, announce, check_accuracy, compare, in_turn

PROJECT = Path(__file__).resolve().parent.parent
BARE_SCRIPT = Path(__file__).with_name("bare_script.py")
TIMED_COMMAND = Path(__file__).with_name("timed_command.py")
KEDRO = (sys.executable, "-m", "kedro")
DEFAULT_RUN = "the default kedro run"
SAME_SETTINGS = 0.015  # by which an accuracy may differ between the run and the script


@dataclass(frozen=True)
class Outcome:
    """What one default run, or one bare script, took and found."""

    seconds: float
    megabytes: float  # of the largest process, at its peak
    champion: str
    accuracies: dict[str, float]  # on validation images by candidate, and "test" of the champion


def default_run_rows(folder: Path, runs: int) -> tuple[list[Row], str]:
    """Return the rows of time and memory, and a note with the accuracies."""
    peer = "bare script"
    announce(DEFAULT_RUN, peer)
    ours, theirs = in_turn(lambda: run_project(folder), lambda: run_bare_script(folder), runs)
    check_same_work(ours[0], theirs[0])
    rows = [
        Row.of(
            DEFAULT_RUN,
            peer,
            ours=[outcome.seconds for outcome in ours],
            theirs=[outcome.seconds for outcome in theirs],
            goal="<= 2, ours <= 120 s",
            unit="s",
        ),
        Row.of(
            f"{DEFAULT_RUN}, peak memory",
            peer,
            ours=[outcome.megabytes for outcome in ours],
            theirs=[outcome.megabytes for outcome in theirs],
            goal="ours <= 2,000 MB",
            unit="MB",
        ),
    ]
    note = ", ".join(
        f"{name} {accuracy:.2%} / {theirs[0].accuracies[name]:.2%}"
        for name, accuracy in ours[0].accuracies.items()
    )
    return rows, f"Accuracies of the default run, ours / {peer}: {note}"


def start_up_row() -> Row:
    """Return the row of `kedro registry list`, against an empty project."""
    with TemporaryDirectory() as folder:
        new = ("new", "--name", "empty", "--tools", "none", "--example", "n", "--telemetry", "no")
        run((*KEDRO, *new), Path(folder))
        listing = (*KEDRO, "registry", "list")
        return compare(
            "kedro registry list",
            "empty Kedro project",
            lambda: run(listing, PROJECT),
            lambda: run(listing, Path(folder) / "empty"),
            "ours <= 2.5 s",
        )


def run_project(folder: Path) -> Outcome:
    """Do the default run in a copy of the project that has its settings and no data."""
    with TemporaryDirectory() as temporary:
        copy = Path(temporary)
        for name in ("pyproject.toml", ".telemetry"):
            shutil.copy(PROJECT / name, copy)
        shutil.copytree(PROJECT / "conf", copy / "conf", ignore=shutil.ignore_patterns("local"))
        (copy / "conf" / "local").mkdir()
        (copy / "src").mkdir()  # Kedro wants one; the package itself is installed
        source = f"data_ingestion.source={folder.resolve()}"
        measured = run_timed((*KEDRO, "run", "--params", source), copy)
        reporting = copy / "data" / "08_reporting"
        board = pd.read_csv(next(reporting.glob("leaderboard.csv/*/*")))
        final = json.loads(next(reporting.glob("final_metrics.json/*/*")).read_text())
    accuracies = dict(zip(board["candidate"], board["validation_accuracy"], strict=True))
    accuracies["test"] = final["test_accuracy"]
    return Outcome(measured["seconds"], measured["megabytes"], final["candidate"], accuracies)


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


def run_timed(command: tuple[str, ...], folder: Path) -> dict[str, Any]:
    """Run a command in a folder; return what `timed_command.py` says of it."""
    measured: dict[str, Any] = json.loads(
        run((sys.executable, str(TIMED_COMMAND), *command), folder)
    )
    return measured


def run(command: tuple[str, ...], folder: Path) -> str:
    """Run a command in a folder; return what it prints, and drop its logs.

    Raises:
        RuntimeError: It failed; ends with its logs.
    """
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr}")
    return done.stdout
