"""The harm that is done to runs, and for each time a list of what was lost."""

import json
import os
import resource
import signal
import time
from functools import partial

from tests.faults.projects import Project

SECONDS = 10  # within which a run ends after it was interrupted
TIMES_PER_CLONE = 4  # a run is interrupted, the first time before anything is saved
ROOM = 20_000  # bytes that a file may have on a disk that is nearly full


def send(number, pid):
    os.kill(pid, number)


def fill_the_disk(pid):
    """Let a process write no more large files; by a limit that needs neither a disk nor root."""
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (ROOM, resource.RLIM_INFINITY))


# What is done to a process, the exit statuses that may come of it, and whether MLflow must hear of
# it at once: else the next run says so. Runs that have just ended have status 0. Before the project
# is imported, Python itself ends by the signal.
HARM = {
    "kill": (partial(send, signal.SIGKILL), {0, -9}, False),
    "ctrl_c": (partial(send, signal.SIGINT), {0, 130, -signal.SIGINT}, True),
    "sigterm": (partial(send, signal.SIGTERM), {0, 143, -signal.SIGTERM}, True),
    "full": (fill_the_disk, {0, 1}, False),
}


def measure(folder, candidates=()):
    """Return how many seconds an undisturbed run takes, and how many datasets it saves."""
    project = Project(folder, candidates)
    start = time.monotonic()
    done = project.run()
    assert done.returncode == 0, done.stderr
    (version,) = project.tracked()
    return time.monotonic() - start, len(project.saved(version))


def interruptions(name, moments, folder):
    """Do one kind of harm to runs at these moments, shares of an undisturbed run."""
    seconds, datasets = measure(folder / "undisturbed")
    for turn, moment in enumerate(moments):
        if turn % TIMES_PER_CLONE == 0:
            project = Project(folder / str(turn))
        how_next = ["--only-missing-outputs"] if turn % 2 else []
        yield interrupt(project, name, moment * seconds, datasets, *how_next)


def interrupt(project, name, seconds, datasets, *how_next):
    """Do harm to a run so many seconds after its start, let another go on, return the losses."""
    lost = _harm(project, name, seconds, datasets)
    done = project.run(*how_next)
    if done.returncode:
        lost.append(f"the next run failed: {done.stderr[-2000:]}")
    return [f"{name} after {seconds:.2f} s: {one}" for one in lost + project.losses()]


def _harm(project, name, seconds, datasets):
    harm, expected, at_once = HARM[name]
    before = project.tracked()
    process = project.start()
    if not process.has_ended(seconds):
        harm(process.pid)
    try:
        done = process.wait() if name == "full" else process.wait(SECONDS)
    except TimeoutError:
        return [f"it went on for {SECONDS} s"]
    lost = []
    if done.returncode not in expected:
        lost.append(f"exit status {done.returncode}: {done.stderr[-2000:]}")
    for version, status in project.tracked().items() - before.items():
        if status == "RUNNING" and at_once:
            lost.append("it is RUNNING in MLflow")
        if status == "FINISHED" and len(project.saved(version)) < datasets:
            lost.append("it is FINISHED in MLflow, and has not saved everything")
    return lost


def overlaps(numbers, folder):
    """Start so many runs at once, on a fresh clone and once more on the used one."""
    for number in numbers:
        project = Project(folder / str(number))
        yield run_at_once(project, number)
        yield run_at_once(project, number)


def run_at_once(project, number):
    """Start so many runs at once, and return the losses."""
    before = project.tracked()
    runs = [project.start() for _ in range(number)]
    ended = [process.wait() for process in runs]
    lost = [f"one failed: {done.stderr[-2000:]}" for done in ended if done.returncode]
    new = [status for name, status in project.tracked().items() if name not in before]
    if new != ["FINISHED"] * number:
        lost.append(f"their statuses in MLflow are {new}")
    for path in (project.folder / "data").rglob("manifest.json/*/manifest.json"):
        read = set(json.loads(path.read_bytes())["provenance"]["versions"].values())
        if read - {None} != {path.parent.name}:
            lost.append(f"the run {path.parent.name} has read {read}")
    return [f"{number} at once: {one}" for one in lost + project.losses()]
