"""What a fault has cost: everything saved is looked at, and everything else must be gone."""

import contextlib
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import onnx
from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.io import AbstractVersionedDataset, Version
from PIL import Image

from tests.faults.projects import files
from tests.faults.tracked import known_artifacts, losses_in_mlflow
from tests.kedro_process import context

KEPT = ("version.lock", "mlflow.db", "mlflow.db.lock")
LEFT_BY_LIBRARIES = {".ses", "torchinductor_root"}  # in the temporary folder, by every run


def losses(project):
    """Return a sentence for everything that is torn, half there, untrue or left behind."""
    with ProcessPoolExecutor(1, mp_context=context) as apart:  # its catalog is of one project
        return apart.submit(_losses, project.folder, project.given, project.temporary).result()


def _losses(folder, given, temporary):
    saved, unreadable = _saved(folder)
    paths = {path for versions in saved.values() for path in versions.values()}
    manifests = {path.with_name(f"{path.name}.json") for path in paths if path.suffix == ".pkl"}
    explained = {
        *(given | paths | manifests | known_artifacts(folder)),
        *(folder / name for name in KEPT),
        *(folder / ".runs").glob("*.json"),
        *files(folder / ".viz"),
    }
    folders = [path for path in (folder / "data").rglob("*") if path.is_dir()]
    left = {path.name for path in temporary.iterdir()} - LEFT_BY_LIBRARIES
    return [
        *unreadable,
        *losses_in_mlflow(folder, saved),
        *(f"{path.relative_to(folder)} is left behind" for path in files(folder) - explained),
        *(f"{path.relative_to(folder)} is empty" for path in folders if not any(path.iterdir())),
        *(f"{name} is left in the temporary folder" for name in sorted(left)),
    ]


def _saved(folder):
    """Return the paths of all that is saved, by dataset and version, and what cannot be read."""
    saved, unreadable = {}, []
    bootstrap_project(folder)
    with contextlib.chdir(folder), KedroSession.create(folder) as session:
        catalog = session.load_context().catalog
        for name in {name for each in pipelines.values() for name in each.datasets()}:
            dataset = catalog.get(name)
            if not isinstance(dataset, AbstractVersionedDataset):
                continue
            paths = {Path(path).parent.name: Path(path) for path in dataset.list_versions()}
            saved[name] = paths
            for version, path in paths.items():
                try:
                    _read(path, catalog.get(name, version=Version(version, None)))
                except Exception as error:  # noqa: BLE001 (each format has its own)
                    unreadable.append(f"{path.relative_to(folder)} cannot be read: {error}")
    return saved, unreadable


def _read(path, dataset):
    """Read a file as its format wants it, where that tells a part from the whole."""
    if path.suffix == ".png":
        Image.open(path).load()
    elif path.suffix == ".onnx":
        onnx.checker.check_model(onnx.load_model_from_string(dataset.load()))
    else:
        dataset.load()
    if path.suffix in (".csv", ".md") and not path.read_bytes().endswith(b"\n"):
        raise ValueError("it does not end with a line")
