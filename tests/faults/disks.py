"""Disks that are full or cannot be written: small file systems in memory, which need root."""

import os
import shutil
import subprocess
from contextlib import contextmanager, suppress

from tests.faults.losses import losses
from tests.faults.projects import Project

SIZE = "size=128m"
MOST_FREE = 12 * 2**20  # bytes, about what a run takes
PLACES = ("clone", "clone/data")  # with and without MLflow's database
FULL, READ_ONLY = "No space left on device", "Read-only file system"
OTHER = ("--params", "data_ingestion.cache=data/other")  # so that nothing is done yet


def cannot_mount(folder):
    """Return why there can be no small file system in a folder, or nothing if there can."""
    with suppress(OSError, subprocess.CalledProcessError), _mounted(folder):
        return ""
    return "needs root, and leave to mount"


def full_disks(times, random, folder, candidates=()):
    """Let runs fill disks with more or less space; yield the losses after each."""
    for turn in range(times):
        where, free = PLACES[turn % 2], round(random.uniform(0, MOST_FREE))
        with _mounted(folder / str(turn) / where) as disk:
            project = _used_project(folder / str(turn), candidates)
            ballast = disk / "ballast"
            with ballast.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(disk).free - free)
            failed = project.run(*OTHER)
            ballast.unlink()
            lost = _losses_after(project, failed, FULL)
        yield [f"{where} with {free:,} bytes free: {each}" for each in lost]


def read_only_disks(folder, candidates=()):
    """Let runs meet folders that cannot be written; yield the losses after each."""
    for where in PLACES:
        with _mounted(folder / where.replace("/", "-") / where) as disk:
            project = _used_project(folder / where.replace("/", "-"), candidates)
            subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
            failed = project.run(*OTHER)
            subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
            lost = _losses_after(project, failed, READ_ONLY)
            lost += [] if failed.returncode else ["exit code 0"]
        yield [f"{where}: {each}" for each in lost]


def _used_project(folder, candidates):
    project = Project(folder, candidates)
    done = project.run()
    assert done.returncode == 0, done.stderr
    return project


def _losses_after(project, failed, reason):
    """Return what is lost when there is space again, and what the run failed to say."""
    lost = []
    last = failed.stderr.rstrip().splitlines()[-1] if failed.stderr else ""
    if failed.returncode and not (last.startswith("Error: ") and reason in last):
        lost.append(f"exit code {failed.returncode} and {failed.stderr[-3000:]}")
    if "Traceback" in failed.stderr:
        lost.append(f"a traceback in {failed.stderr[-3000:]}")
    done = project.run("--only-missing-outputs", *OTHER)
    if done.returncode:
        return [*lost, f"the next run failed: {done.stderr[-2000:]}"]
    return lost + losses(project)


@contextmanager
def _mounted(folder):
    folder.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", SIZE, "tmpfs", folder]
    subprocess.run(command, check=True, capture_output=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
