"""The runs of a project: which of them live, what each has finished, what a killed one left."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnist_kedro import whole_files
from mnist_kedro.whole_files import WholeFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from filelock import FileLock

FOLDER = ".runs"  # in the project's


class LivingRun:
    """A run under way: holds a lock that the system lets go of, however the process ends.

    Args:
        project: Its folder.
        version: Of all that the run saves.
        folders: In which it saves files.
    """

    def __init__(self, project: Path, version: str, folders: Iterable[str] = ()) -> None:
        self._path = project / FOLDER / f"{version}.json"
        self._path.parent.mkdir(exist_ok=True)
        self._lock = _lock(project, version)
        self._lock.acquire()
        self._finished: dict[str, str] = {}
        self._folders = list(folders)
        self.write_down({})

    def write_down(self, finished: Mapping[str, str]) -> None:
        """Add what else is saved to the run's record: fingerprints, by the names of datasets."""
        self._finished |= finished
        with WholeFile(self._path) as file:
            record = {"folders": self._folders, "finished": self._finished}
            file.write(json.dumps(record, indent=2).encode())

    def end(self) -> None:
        """Let go of the lock; the record stays."""
        self._lock.release()
        Path(self._lock.lock_file).unlink(missing_ok=True)


def done(project: Path) -> dict[tuple[str, str], str]:
    """Return the latest version of whatever a run has finished, by name and fingerprint."""
    return {
        (name, fingerprint): path.stem
        for path in sorted((project / FOLDER).glob("*.json"))
        for name, fingerprint in _read(path)["finished"].items()
    }


def remove_unfinished(project: Path) -> None:
    """Remove what runs have left half-written that were killed."""
    for version in _killed(project):
        path = project / FOLDER / f"{version}.json"
        for folder in _read(path)["folders"]:
            whole_files.remove_unfinished(Path(folder))
        for left in path.parent.glob(f".{path.name}.*"):
            left.unlink(missing_ok=True)


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


def _killed(project: Path) -> Iterator[str]:
    """Yield the versions of runs that have ended without a word, each once, under its lock."""
    from filelock import Timeout

    for path in sorted((project / FOLDER).glob("*.lock")):
        with suppress(Timeout):
            with _lock(project, path.stem).acquire(blocking=False):
                yield path.stem
            path.unlink(missing_ok=True)  # Windows does not remove what is open


def _read(path: Path) -> dict[str, Any]:
    record: dict[str, Any] = {"folders": [], "finished": {}}
    with suppress(FileNotFoundError):  # a run that was killed before it wrote any
        record |= json.loads(path.read_bytes())
    return record


def _lock(project: Path, version: str) -> FileLock:
    from filelock import FileLock

    return FileLock(project / FOLDER / f"{version}.lock")
