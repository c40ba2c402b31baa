"""The runs of a project: which of them live, what each has finished, what a killed one left."""

from __future__ import annotations

import json
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING

from mnist_kedro.whole_files import WholeFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from filelock import FileLock

FOLDER = ".runs"  # in the project's


class LivingRun:
    """A run under way: holds a lock that the system lets go of, however the process ends.

    Its temporary files, and those of the libraries that it uses, have a folder of their own, so
    that a later run can remove what it could not.

    Args:
        project: Its folder.
        version: Of all that the run saves.
    """

    def __init__(self, project: Path, version: str) -> None:
        self._project, self._version = project, version
        self._record = project / FOLDER / f"{version}.json"
        self._finished: dict[str, str] = {}
        self._record.parent.mkdir(exist_ok=True)
        self._lock = _lock(project, version)
        self._lock.acquire()
        self._temporary_before = tempfile.tempdir
        tempfile.tempdir = _make_temporary_folder(project, version)
        self.finish({})

    def finish(self, fingerprints: Mapping[str, str]) -> None:
        """Write down what else is saved: the fingerprint by the dataset's name."""
        self._finished |= fingerprints
        with WholeFile(self._record) as file:
            file.write(json.dumps(self._finished, indent=2).encode())

    def end(self) -> None:
        """Remove the temporary files and let go of the lock; the record stays."""
        tempfile.tempdir = self._temporary_before
        _remove_temporary_folder(self._project, self._version)
        self._lock.release()
        Path(self._lock.lock_file).unlink(missing_ok=True)


def finished(project: Path, version: str) -> dict[str, str]:
    """Return what a run has finished: fingerprints by the names of datasets; maybe nothing."""
    found: dict[str, str] = {}
    with suppress(FileNotFoundError):
        found = json.loads((project / FOLDER / f"{version}.json").read_bytes())
    return found


def versions(project: Path) -> list[str]:
    """Return the versions of all runs, the latest first."""
    return sorted((path.stem for path in (project / FOLDER).glob("*.json")), reverse=True)


def killed_runs(project: Path) -> Iterator[str]:
    """Yield the versions of runs that have ended without a word; each is yielded only once.

    While one is yielded, no other process gets it.
    """
    from filelock import Timeout

    for path in sorted((project / FOLDER).glob("*.lock")):
        lock = _lock(project, path.stem)
        with suppress(Timeout), lock.acquire(blocking=False):
            yield path.stem
            _remove_temporary_folder(project, path.stem)
            path.unlink(missing_ok=True)


def has_ended(project: Path, version: str) -> bool:
    """Tell whether this was a run of this project that is over; of others one cannot know."""
    from filelock import Timeout

    if not (project / FOLDER / f"{version}.json").exists():
        return False
    if not (project / FOLDER / f"{version}.lock").exists():
        return True
    try:
        with _lock(project, version).acquire(blocking=False):
            return True
    except Timeout:
        return False


def _make_temporary_folder(project: Path, version: str) -> str:
    # Its name is short: sockets of worker processes lie in it, and take about a hundred letters.
    folder = Path(tempfile.gettempdir(), f"mnist-{token_hex(4)}")
    with WholeFile(project / FOLDER / f"{version}.tmp") as file:  # first: then it is never lost
        file.write(bytes(folder))
    folder.mkdir(mode=0o700)
    return str(folder)


def _remove_temporary_folder(project: Path, version: str) -> None:
    note = project / FOLDER / f"{version}.tmp"
    with suppress(FileNotFoundError):
        shutil.rmtree(note.read_bytes(), ignore_errors=True)
        note.unlink()


def _lock(project: Path, version: str) -> FileLock:
    from filelock import FileLock

    return FileLock(project / FOLDER / f"{version}.lock")
