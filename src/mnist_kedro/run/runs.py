"""The runs of a project: which of them live, what each has finished, what a killed one left."""

from __future__ import annotations

import json
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from mnist_kedro.run.whole_files import WholeFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from filelock import FileLock

FOLDER = ".runs"  # in the project's


class LivingRun:
    """A run under way: holds a lock that the system lets go of, however the process ends.

    Its temporary files, and those of the libraries that it uses, have a folder of their own, so
    that a later run can remove what it could not.

    Args:
        project: Its folder.
        version: Of all that the run saves.
        nodes: The paths of the files that each of its nodes saves.
    """

    def __init__(self, project: Path, version: str, nodes: Iterable[Sequence[str]] = ()) -> None:
        self._path = project / FOLDER / f"{version}.json"
        self._path.parent.mkdir(exist_ok=True)
        self._lock = _lock(project, version)
        self._lock.acquire()
        self._temporary_before = tempfile.tempdir
        # The name is short: sockets of worker processes lie in it, and take about 100 letters.
        temporary = Path(tempfile.gettempdir(), f"mnist-{token_hex(4)}")
        self._finished: dict[str, str] = {}
        self._record = {"temporary": str(temporary), "nodes": [list(files) for files in nodes]}
        self.write_down({})
        temporary.mkdir(mode=0o700)
        tempfile.tempdir = str(temporary)

    def write_down(self, finished: Mapping[str, str]) -> None:
        """Add what else is saved to the run's record: fingerprints, by the names of datasets."""
        self._finished |= finished
        with WholeFile(self._path) as file:
            file.write(json.dumps(self._record | {"finished": self._finished}, indent=2).encode())

    def end(self) -> None:
        """Remove what is not finished, and let go of the lock; the record stays."""
        tempfile.tempdir = self._temporary_before
        _remove_left_overs(self._path)
        self._lock.release()
        Path(self._lock.lock_file).unlink(missing_ok=True)


def done(project: Path) -> dict[tuple[str, str], str]:
    """Return the latest version of whatever a run has finished, by name and fingerprint."""
    return {
        (name, fingerprint): path.stem
        for path in sorted((project / FOLDER).glob("*.json"))
        for name, fingerprint in _read(path)["finished"].items()
    }


def remove_left_overs(project: Path) -> None:
    """Remove what runs have left unfinished that were killed."""
    from filelock import Timeout

    for lock in sorted((project / FOLDER).glob("*.lock")):
        with suppress(Timeout):
            with _lock(project, lock.stem).acquire(blocking=False):
                _remove_left_overs(lock.with_suffix(".json"))
            lock.unlink(missing_ok=True)  # after it was let go of: Windows removes nothing open


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


def _remove_left_overs(path: Path) -> None:
    """Remove what the run with this record has left of nodes that had not saved everything.

    Else the next run would take the latest of each: the scores of one model, the predictions of
    another.
    """
    record = _read(path)
    for names in record["nodes"]:
        files = [Path(name) for name in names]
        if not all(file.exists() for file in files):
            for file in files:
                shutil.rmtree(file.parent, ignore_errors=True)  # it may not be there
    if record["temporary"]:
        shutil.rmtree(record["temporary"], ignore_errors=True)
    for left in path.parent.glob(f".{path.name}.*"):
        left.unlink(missing_ok=True)


def _read(path: Path) -> dict[str, Any]:
    record: dict[str, Any] = {"temporary": "", "nodes": [], "finished": {}}
    with suppress(FileNotFoundError):  # a run that was killed before it wrote any
        record |= json.loads(path.read_bytes())
    return record


def _lock(project: Path, version: str) -> FileLock:
    from filelock import FileLock

    return FileLock(project / FOLDER / f"{version}.lock")
