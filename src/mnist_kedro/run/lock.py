"""A lock file per run: no other run has its version, and others can tell whether it still lives.

The system releases the lock however a process ends.
"""

from __future__ import annotations

from pathlib import Path

from filelock import FileLock, Timeout

from mnist_kedro.parameters import UserError

FOLDER = ".runs"  # in the project's


def take_version(project: Path, run_id: str) -> FileLock:
    """Take the version of a run for it alone, until `release`.

    Raises:
        UserError: Another run of this project has it.
    """
    (project / FOLDER).mkdir(exist_ok=True)
    lock = _lock(project, run_id)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise UserError(
            f"expected a version that no other run has, found {run_id} in use: two runs started "
            f"in the same millisecond, so start this one again"
        ) from None
    return lock


def release(lock: FileLock) -> None:
    """Let go of a run's version: it has ended."""
    lock.release()
    Path(lock.lock_file).unlink(missing_ok=True)


def is_alive(project: Path, run_id: str) -> bool:
    """Tell whether the run with this id has not ended."""
    if not (project / FOLDER / f"{run_id}.lock").exists():
        return False
    try:
        with _lock(project, run_id).acquire(blocking=False):
            return False
    except Timeout:
        return True


def living_runs(project: Path) -> list[str]:
    """Return the ids of the runs that have not ended."""
    ids = sorted(path.stem for path in (project / FOLDER).glob("*.lock"))
    return [run_id for run_id in ids if is_alive(project, run_id)]


def _lock(project: Path, run_id: str) -> FileLock:
    # Kedro's HTTP server may end a run in another thread than it began in.
    return FileLock(project / FOLDER / f"{run_id}.lock", thread_local=False)
