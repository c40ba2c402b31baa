"""Runs that end at any moment, by kill -9, Ctrl-C or SIGTERM; and the runs after them."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from tests.faults.losses import losses
from tests.faults.projects import Project
from tests.faults.tracked import names_in_mlflow

SECONDS = 5  # within which a run ends, and its workers
CHAIN = 4  # interruptions in one project, the first of them of its first run
ONLY_MISSING = "--only-missing-outputs"
RUNNERS = ("SequentialRunner", "SequentialRunner", "ParallelRunner")
NAMES = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}


@dataclass(frozen=True)
class Undisturbed:
    """What a run comes to that nobody disturbs."""

    seconds: dict  # of computing, by runner, of the first run in a project
    accuracies: dict  # by candidate


def undisturbed(folder, candidates=()):
    """Let a run of each runner go on to its end."""
    seconds = {}
    for runner in dict.fromkeys(RUNNERS):
        project = Project(folder / runner, candidates)
        process = project.start(f"--runner={runner}")
        while not process.has_ended(0.1):
            seconds[runner] = max(seconds.get(runner, 0), project.processor_seconds())
        done = process.wait()
        assert done.returncode == 0, done.stderr
    return Undisturbed(seconds, project.accuracies())


def interruptions(number, times, random, folder, measure, candidates=(), at_once=1):
    """Interrupt as many runs, in chains side by side; yield the losses after each.

    Args:
        number: The signal's.
        times: How many runs.
        random: Chooses the moments.
        folder: For the projects.
        measure: From `undisturbed`.
        candidates: As there.
        at_once: How many chains.
    """
    moments = list(enumerate(random.random() for _ in range(times)))  # as shares of a run
    chains = [moments[start : start + CHAIN] for start in range(0, times, CHAIN)]
    chain = partial(_chain, number, folder, measure, candidates)
    with ThreadPoolExecutor(at_once) as pool:
        for lost in pool.map(chain, chains):
            yield from lost


def _chain(number, folder, measure, candidates, moments):
    project = Project(folder / f"{signal.Signals(number).name}{moments[0][0]}", candidates)
    return [_interrupt(project, number, *moment, measure) for moment in moments]


def _interrupt(project, number, turn, moment, measure):
    """Interrupt a run, let another one go on, and return what was lost.

    A parameter that changes no result makes every interrupted run one whose work is not done yet.
    """
    runner = RUNNERS[turn % len(RUNNERS)]
    resumed = (turn // CHAIN + turn) % 2 == 1
    arguments = (f"--runner={runner}", "--params", f"data_ingestion.cache=data/{turn}")
    before = project.records().keys()
    process = project.start(*arguments)
    moment_seconds = moment * measure.seconds[runner]
    while project.processor_seconds() < moment_seconds:
        if process.has_ended(0.01):  # it had less to do than those before
            return _interrupt(project, number, turn, moment / 2, measure)
    for pid in [process.pid] if number == signal.SIGKILL else project.processes():
        os.kill(pid, number)  # Ctrl-C in a terminal reaches the workers too
    lost = _ended_badly(project, process, number, before)
    lost += _workers_left(project)
    finished = {name for record in project.records_since(before) for name in record}
    before = project.records().keys()
    done = project.run(*arguments, *([ONLY_MISSING] if resumed else []))
    if done.returncode:
        return [*lost, f"the next run failed: {done.stderr[-2000:]}"]
    if project.accuracies() != measure.accuracies:
        lost.append(f"expected {measure.accuracies}, found {project.accuracies()}")
    if resumed:
        (made,) = project.records_since(before)
        lost += [f"{name} was made again" for name in finished.intersection(made)]
    lost += losses(project)
    return [f"{turn}, {runner} after {moment:.3f} of its time: {each}" for each in lost]


def _ended_badly(project, process, number, before):
    """Return in what ways a run ends otherwise than it should after a signal.

    One that has no record beside those before was still being imported: Python itself ends it.
    """
    if not process.has_ended(SECONDS):
        os.kill(process.pid, signal.SIGKILL)
        return [f"it went on for {SECONDS} s"]
    done = process.wait()
    if number == signal.SIGKILL:
        return []
    if done.returncode == -number and project.records().keys() == before:
        return []
    lost = [f"RUNNING in MLflow: {name}" for name in names_in_mlflow(project.folder, "RUNNING")]
    if done.returncode != 128 + number or not done.stderr.endswith(
        f"Stopped by {NAMES[number]}.\n"
    ):
        lost.append(f"exit code {done.returncode}, {done.stderr[-2000:]}")
    return lost


def _workers_left(project):
    """Return the processes that outlive their run, and end them."""
    until = time.monotonic() + SECONDS
    while (left := project.processes()) and time.monotonic() < until:
        time.sleep(0.05)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    return [f"{len(left)} workers went on"] if left else []
