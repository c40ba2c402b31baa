"""Fixtures that several test files use."""

import gzip
import hashlib
import os
import pickle
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from hypothesis import settings

from mnist_kedro.data.dataset_spec import FILES, DatasetSpec
from mnist_kedro.data.sources import Arrays
from mnist_kedro.formats.idx import idx_header
from tests.kedro_process import run_kedro

# One thread is fast for small data, also where tests and candidates run side by side.
os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).parents[1]
# Shells let what they start in the background ignore Ctrl-C, and runs would inherit that.
if threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)
# The same inputs each time, so that a test that passed still does; `make fuzz` looks for new ones.
settings.register_profile("same", derandomize=True)
settings.load_profile("same")


def pytest_collection_modifyitems(items):
    """Begin with the longest test, so that no worker has it last."""
    items.sort(key=lambda item: item.path.name != "test_real_mnist.py")


@pytest.fixture(autouse=True)
def no_session():
    """Forget whose candidates the last session of this process has read."""
    yield
    if registry := sys.modules.get("mnist_kedro.pipeline_registry"):
        registry.CONF_SOURCE.set(None)


@pytest.fixture(scope="session")
def tiny_arrays():
    """30 training and 20 test images of noise: 3 and 2 per class, read-only."""
    random = np.random.default_rng(0)

    def split(n):
        images = random.integers(0, 256, (n, 28, 28), dtype=np.uint8)
        images[random.random(images.shape) < 0.6] = 0
        images[0, 0, 0] = 255
        return images, np.arange(n, dtype=np.uint8) % 10

    arrays = Arrays(*split(30), *split(20))
    for array in arrays:
        array.setflags(write=False)
    return arrays


@pytest.fixture(scope="session")
def write_idx_folder():
    """Function that writes four arrays as IDX files into a folder, and returns the folder."""

    def write(folder, arrays, infix="-idx", suffix=".gz"):
        folder.mkdir(parents=True, exist_ok=True)
        for key, name in FILES.items():
            array = getattr(arrays, key)
            data = idx_header(array.shape) + array.tobytes()
            path = folder / (name.replace("-idx", infix) + suffix)
            path.write_bytes(gzip.compress(data, 1, mtime=0) if suffix else data)
        return folder

    return write


@pytest.fixture(scope="session")
def real_mnist():
    """Folder with the four official files, which are not part of the repository."""
    folder = ROOT.parent / "shared" / "mnist"
    if not (folder / f"{FILES['train_images']}.gz").is_file():
        pytest.skip("the official MNIST files are not in ../shared/mnist")
    return folder


@pytest.fixture(scope="session")
def mirrored_files(tmp_path_factory, tiny_arrays, write_idx_folder):
    """What mirrors have, by name: the tiny arrays, compressed."""
    folder = write_idx_folder(tmp_path_factory.mktemp("mirrored"), tiny_arrays)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="session")
def tiny_sha256(mirrored_files):
    """Checksums of the decompressed files, by key."""
    return {
        key: hashlib.sha256(gzip.decompress(mirrored_files[f"{name}.gz"])).hexdigest()
        for key, name in FILES.items()
    }


@pytest.fixture(scope="session")
def describe(tiny_sha256):
    """Function that describes the tiny arrays, at these mirrors, or another data set."""

    def describe(mirrors=(), **changes):
        return DatasetSpec.model_validate(
            {
                "name": "MNIST",
                "class_names": tuple("0123456789"),
                "first_label": 0,
                "transposed": False,
                "files": {},
                "mirrors": tuple(mirrors),
                "archive": None,
                "sha256": tiny_sha256,
                **changes,
            }
        )

    return describe


@pytest.fixture
def project(tmp_path):
    """An empty clone: configuration without data."""
    return copy_project(tmp_path / "project")


@pytest.fixture(scope="session")
def finished_project(tmp_path_factory):
    """A project after `kedro run` on the embedded digits, and what that run printed; to be read.

    It is the one run that is tracked, unless a test says so. All pytest workers share it.
    """
    shared = tmp_path_factory.getbasetemp()
    shared = shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared
    folder, printed = shared / "finished" / "project", shared / "finished" / "printed.pkl"
    with FileLock(shared / "finished.lock"):
        if not printed.exists():
            parameters = "data_ingestion.source=embedded,tracking.enabled=true"
            done = run_kedro(copy_project(folder), "run", "--params", parameters)
            assert done.returncode == 0, done.stderr
            printed.write_bytes(pickle.dumps(done))
    return folder, pickle.loads(printed.read_bytes())


@pytest.fixture
def used_project(finished_project, tmp_path):
    """A copy of the finished project, to run on in."""
    left_out = shutil.ignore_patterns("mlflow.db*", "mlartifacts")  # they know their folder's name
    return shutil.copytree(finished_project[0], tmp_path / "used", ignore=left_out)


def copy_project(folder):
    """Copy what a clone has, but for the code, which is installed."""
    (folder / "src").mkdir(parents=True)
    shutil.copytree(ROOT / "conf", folder / "conf", ignore=shutil.ignore_patterns("local"))
    (folder / "conf" / "local").mkdir()
    untracked = "tracking: {enabled: false}\n"  # saves five seconds a run
    (folder / "conf" / "local" / "parameters_tracking.yml").write_text(untracked)
    (folder / ".viz").mkdir()
    for name in ("pyproject.toml", ".telemetry", ".viz/styles.json"):
        shutil.copy(ROOT / name, folder / name)
    return folder


@pytest.fixture(name="copy_project", scope="session")
def copy_project_fixture():
    return copy_project


@pytest.fixture(name="run_kedro", scope="session")
def run_kedro_fixture():
    return run_kedro


@pytest.fixture
def start():
    """Function that starts a run in the background, for as long as the test goes on."""
    with ExitStack() as stack:

        def start(folder, *arguments, **environment):
            process = subprocess.Popen(
                [sys.executable, "-m", "kedro", "run", *arguments],
                cwd=folder,
                env=os.environ | {"OMP_NUM_THREADS": "1"} | environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,  # so that its signals are its own
            )
            stack.callback(process.kill)
            return process

        yield start
