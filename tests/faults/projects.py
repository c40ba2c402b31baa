"""A clone of the project to do harm to, and what the harm has cost."""

import contextlib
import sqlite3
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import yaml
from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.io import AbstractVersionedDataset, Version
from PIL import Image

from tests.conftest import copy_project
from tests.kedro_process import KedroProcess, context

EMBEDDED = {"data_ingestion": {"source": "embedded"}}
RUNS = """
SELECT value, status FROM runs JOIN tags USING (run_uuid)
WHERE key = 'kedro_run_id' AND lifecycle_stage = 'active'
AND run_uuid NOT IN (SELECT run_uuid FROM tags WHERE key = 'mlflow.parentRunId')
"""


class Project:
    """A fresh clone whose runs are tracked.

    Args:
        folder: For the clone.
        candidates: The only ones; otherwise all.
        parameters: Of every run.
    """

    def __init__(self, folder, candidates=(), parameters=EMBEDDED):
        self.folder = copy_project(folder / "clone")
        (self.folder / "conf" / "local" / "parameters_tracking.yml").unlink()  # it switches it off
        (self.folder / "conf" / "local" / "parameters.yml").write_text(yaml.safe_dump(parameters))
        if candidates:
            for path in self.folder.glob("conf/*/parameters*.yml"):  # of base and environments
                settings = yaml.safe_load(path.read_text())
                for name in {*settings.get("candidates", ())} - {*candidates}:
                    del settings["candidates"][name]
                path.write_text(yaml.safe_dump(settings))

    def start(self, *arguments):
        """Start `kedro run`."""
        return KedroProcess(self.folder, "run", *arguments)

    def run(self, *arguments):
        """Run `kedro run` to its end."""
        return self.start(*arguments).wait()

    def tracked(self):
        """Return the statuses of the runs in MLflow by version, without those of candidates."""
        try:
            with contextlib.closing(sqlite3.connect(self.folder / "mlflow.db")) as connection:
                return dict(connection.execute(RUNS).fetchall())
        except sqlite3.OperationalError:  # there is no table yet
            return {}

    def saved(self, version):
        """Return the datasets, as folders, that a run has saved."""
        return {path.parent for path in (self.folder / "data").rglob(version)}

    def losses(self):
        """Return a sentence for each version that cannot be loaded and each run without end."""
        endless = [name for name, status in self.tracked().items() if status == "RUNNING"]
        with ProcessPoolExecutor(1, mp_context=context) as apart:  # its catalog is of one project
            unreadable = apart.submit(_unreadable, self.folder).result()
        return [*unreadable, *(f"RUNNING in MLflow for ever: {name}" for name in endless)]


def _unreadable(folder):
    bootstrap_project(folder)
    found = []
    with contextlib.chdir(folder), KedroSession.create(folder) as session:
        catalog = session.load_context().catalog
        for name in {name for each in pipelines.values() for name in each.datasets()}:
            dataset = catalog.get(name)
            if isinstance(dataset, AbstractVersionedDataset):
                for path in map(Path, dataset.list_versions()):
                    try:
                        _read(path, catalog.get(name, version=Version(path.parent.name, None)))
                    except Exception as error:  # noqa: BLE001 (each format has its own)
                        found.append(f"{path.relative_to(folder)} cannot be loaded: {error}")
    return found


def _read(path, dataset):
    """Load a file; refuse a part of a table, which would load as well."""
    if path.suffix == ".png":
        Image.open(path).load()
    else:
        dataset.load()
    if path.suffix in (".csv", ".md") and not path.read_bytes().endswith(b"\n"):
        raise ValueError("it does not end with a line")
