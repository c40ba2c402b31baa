"""Runs that start at the same moment, on a fresh clone and on a used one."""

import gzip
import hashlib
import json

from mnist_kedro.data.descriptions import FILES
from mnist_kedro.data.sources import embedded_digits
from mnist_kedro.formats.idx import idx_header
from tests.conftest import Mirror, good_answer
from tests.faults.losses import losses
from tests.faults.projects import Project
from tests.faults.tracked import names_in_mlflow


def overlaps(folder, numbers=(2, 4), candidates=()):
    """Start so many runs at once, twice in a project; yield the losses after each time."""
    digits = {
        name: idx_header(getattr(embedded_digits(), key).shape)
        + getattr(embedded_digits(), key).tobytes()
        for key, name in FILES.items()
    }
    mirrored = {f"{name}.gz": gzip.compress(data) for name, data in digits.items()}
    sha256 = {key: hashlib.sha256(digits[name]).hexdigest() for key, name in FILES.items()}
    for number in numbers:
        mirror = Mirror(mirrored, good_answer)
        ingestion = {"source": "mnist", "mirrors": [mirror.url], "sha256": sha256}
        project = Project(folder / str(number), candidates, {"data_ingestion": ingestion})
        cache = project.folder / "data" / "01_raw" / "downloads"
        project.given |= {cache / name for name in (*mirrored, ".lock")}
        for state in ("fresh", "used"):
            lost = _run_at_once(project, number)
            if mirror.downloads() != sorted(mirrored):
                lost.append(f"downloaded {mirror.downloads()}")
            yield [f"{number} runs on a {state} clone: {each}" for each in lost]
        mirror.server_close()


def _run_at_once(project, number):
    before = project.records()
    started = [project.start() for _ in range(number)]
    ended = [process.wait() for process in started]
    lost = [f"a run failed: {done.stderr[-2000:]}" for done in ended if done.returncode]
    versions = project.records().keys() - before
    if not versions <= set(names_in_mlflow(project.folder, "FINISHED")) or len(versions) != number:
        lost.append(f"of the runs {versions}, not all are FINISHED in MLflow")
    manifests = (project.folder / "data").rglob("manifest.json/*/manifest.json")
    for path in manifests:
        read = set(json.loads(path.read_bytes())["provenance"]["versions"].values())
        if read != {path.parent.name}:
            lost.append(f"the run {path.parent.name} has read {read}")
    return lost + losses(project)
