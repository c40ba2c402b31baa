"""A copy of the project to do harm to, with a temporary folder of its own."""

import csv
import json
import os
from contextlib import suppress
from pathlib import Path

import yaml

from tests.conftest import copy_project
from tests.kedro_process import KedroProcess

CANDIDATES = Path("conf", "base", "parameters_model_training.yml")
TICKS = os.sysconf("SC_CLK_TCK")  # of the system's clock, per second
EMBEDDED = {"data_ingestion": {"source": "embedded"}}


class Project:
    """A fresh clone; its runs are tracked and read the embedded digits.

    Args:
        folder: For the clone and its temporary folder; is made.
        candidates: The only ones; otherwise all.
        data: Parameters of `data_ingestion`.
    """

    def __init__(self, folder, candidates=(), parameters=EMBEDDED):
        self.folder = copy_project(folder / "clone")
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        (self.folder / "conf" / "local" / "tracking.yml").unlink()  # it switches tracking off
        local = self.folder / "conf" / "local" / "parameters.yml"
        local.write_text(yaml.safe_dump(parameters))
        if candidates:
            path = self.folder / CANDIDATES
            settings = yaml.safe_load(path.read_text())
            settings["candidates"] = {name: settings["candidates"][name] for name in candidates}
            path.write_text(yaml.safe_dump(settings))
        self.given = files(self.folder)

    def start(self, *arguments):
        """Start `kedro run`."""
        environment = {"TMPDIR": str(self.temporary), "OMP_WAIT_POLICY": "PASSIVE"}
        return KedroProcess(self.folder, "run", *arguments, **environment)

    def run(self, *arguments):
        """Run `kedro run` to its end."""
        return self.start(*arguments).wait()

    def records(self):
        """Return what each run has finished, by version, the earliest first."""
        paths = sorted((self.folder / ".runs").glob("*.json"))
        return {path.stem: json.loads(path.read_bytes())["finished"] for path in paths}

    def records_since(self, versions):
        """Return the records of the runs of other versions."""
        return [record for version, record in self.records().items() if version not in versions]

    def accuracies(self):
        """Return the validation accuracies of the latest leaderboard, by candidate."""
        path = max((self.folder / "data").glob("08_reporting/leaderboard.csv/*/leaderboard.csv"))
        with path.open() as file:
            return {row["candidate"]: row["validation_accuracy"] for row in csv.DictReader(file)}

    def processes(self):
        """Return the ids of the processes that work in the clone, where the system tells."""
        return [
            int(process.name)
            for process in Path("/proc").glob("[0-9]*")
            if _target(process / "cwd") == str(self.folder)
        ]

    def processor_seconds(self):
        """Return for how long those processes have computed: a clock that others do not disturb."""
        stats = [_read(Path("/proc", str(pid), "stat")) for pid in self.processes()]
        fields = [stat.rpartition(")")[2].split() for stat in stats if stat]
        return (
            sum(int(user) + int(system) for *_, user, system in (each[:13] for each in fields))
            / TICKS
        )


def files(folder):
    """Return all files of a folder."""
    return {path for path in folder.rglob("*") if path.is_file()}


def _target(link):
    with suppress(OSError):  # it has ended
        return str(link.readlink())


def _read(path):
    with suppress(OSError):
        return path.read_text()
