"""What the tests of tracking share: a small run in this process, and real servers of MLflow."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import node, pipeline
from mlflow import MlflowClient
from sklearn.dummy import DummyClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from docs.pages import free_port
from mnist_kedro.datasets.files import FileDataset
from mnist_kedro.pipelines.data_ingestion.nodes import EMBEDDED_NAME
from mnist_kedro.tracking import TrackingHooks

IMAGES = np.arange(4 * 28 * 28, dtype=np.uint8).reshape(4, 28, 28)
LABELS = np.array([0, 1, 1, 1], dtype=np.uint8)
SETTINGS = {
    "estimator": "dummy",
    "transformers": ["flatten"],
    "hyperparameters": {"strategy": "prior"},
}
VALIDATION = {
    "validation_accuracy": 0.75,
    "validation_accuracy_low": 0.5,
    "validation_accuracy_high": 0.9,
}
DATA = {"data": "digits", "data_sha256": "ab" * 32}
FIT = {"fit_started": "2026-01-02T03:04:05+00:00", "fit_seconds": 1.5}
METRICS = VALIDATION | DATA | FIT | {"settings": SETTINGS, "splits_sha256": "cd" * 32}
METRICS |= {"predict_ms_per_image": 0.25, "model_bytes": 1_000_000}
TEST = {f"test_accuracy{end}": value for end, value in (("", 0.5), ("_low", 0.4), ("_high", 0.6))}
HISTORY = pd.DataFrame(
    {
        "epoch": np.arange(1, 401),
        "train_loss": np.linspace(1, 0, 400),
        "train_accuracy": np.linspace(0, 1, 400),
        "validation_accuracy": np.linspace(0.1, 0.8, 400),
        "seconds": 1.0,
        "cpu_seconds": 1.5,
    }
)
SAVED = {
    "tiny.model": make_pipeline(FunctionTransformer(), DummyClassifier(random_state=7)).fit(
        IMAGES, LABELS
    ),
    "tiny.history": HISTORY,
    "tiny.metrics": METRICS,
    "tiny.report": "a,b\n",
    "champion": {"candidate": "tiny", "reason": "The only one.", "settings": SETTINGS} | VALIDATION,
    "final_model": DummyClassifier().fit(IMAGES, LABELS),
    "final_history": HISTORY.head(2),
    "final_metrics": TEST | DATA | FIT | {"n_test": 4, "candidate": "tiny"},
    "model_card": "# A card",
    "promotion": {"alias": "champion"},
    "tuning_trials": pd.DataFrame(
        {
            "trial": [0, 1],
            "state": ["complete", "pruned"],
            "candidate": ["64", "128-64"],
            "learning_rate": [0.01, 0.1],
            "validation_accuracy": [0.9, 0.8],
            "n_parameters": [50, np.nan],
            "data": "digits",
        }
    ),
}


def step(name, outputs, namespace):
    return node(lambda: None, inputs=None, outputs=outputs, name=name, namespace=namespace)


PIPELINE = pipeline(
    [
        step("train", ["tiny.model", "tiny.history", "tiny.metrics"], "tiny"),
        step("report", ["tiny.report"], "tiny"),
        step("choose", ["champion"], "model_selection"),
        step("fit", ["final_model", "final_history"], "final_training"),
        step("score", ["final_metrics"], "final_training"),
        step("write", ["model_card"], "final_training"),
        step("decide", ["promotion"], "final_training"),
        step("search", ["tuning_trials"], "tuning"),
    ]
)


class TextFile(FileDataset, MemoryDataset):
    """A dataset with a file, as the project's own datasets are."""

    def __init__(self, name):
        super().__init__()
        self._name = name

    def place(self):
        return f"s3://bucket/{self._name}/v1/{self._name}"

    def copy_to(self, folder):
        path = folder / self._name
        path.write_text(self.load())
        return path


class Run:
    """A `kedro run` in this process, which a test takes from step to step."""

    def __init__(self, hooks, project, run_id="2026-01-02T03.04.05.678Z", **tracking):
        project.mkdir(exist_ok=True)
        self.hooks = hooks
        self.params = {
            "run_id": run_id,
            "project_path": str(project),
            "pipeline_names": None,
            "namespaces": None,
            "runner": "<kedro.runner.thread_runner.ThreadRunner object at 0x1>",
        }
        defaults = {"enabled": True, "models": "all", "uri": None}
        defaults |= {"experiment": "e", "registered_model": "m"}
        provenance = {
            "run_id": run_id,
            "versions": dict.fromkeys(SAVED, run_id) | {"train_images": "2025"},
            "git_commit": "abc",
            "git_dirty": None,
            "packages": {"numpy": "2"},
            "python": "3.11",
        }
        self.catalog = DataCatalog(
            {name: MemoryDataset(copy_mode="assign") for name in SAVED}
            | {
                "tiny.report": TextFile("report.csv"),
                "model_card": TextFile("model_card.md"),
                **{
                    name: MemoryDataset(value, copy_mode="assign")
                    for name, value in {
                        "provenance": provenance,
                        "parameters": {
                            "candidates": {"tiny": SETTINGS},
                            "many": {str(n): n for n in range(120)},
                            "mirrors": ("https://me:secret@host/mnist/",),
                            "tracking": {"uri": "https://me:secret@host/"},
                            "data_ingestion": {"name": "digits"},
                            "tuning": {"storage": "postgresql://me:secret@host/", "trials": 3},
                        },
                        "params:tracking": defaults | tracking,
                        "dataset_profile": {
                            "name": "digits",
                            "source": "embedded",
                            "data_sha256": "ab" * 32,
                        },
                        "train_images": IMAGES,
                        "train_labels": LABELS,
                        "test_images": IMAGES[:2],
                        "test_labels": LABELS[:2],
                    }.items()
                },
            }
        )

    def start(self):
        self.hooks.before_pipeline_run(self.params, PIPELINE, self.catalog)
        return self

    def save(self, *nodes):
        """Save what these nodes make; the next node is about to run."""
        for each in nodes:
            for name in outputs_of(each):
                version = {"version": self.params["run_id"]}
                decision = version | {"champion": version} if name == "promotion" else {}
                self.catalog.save(name, SAVED[name] | decision if decision else SAVED[name])
        self.hooks.before_node_run(self.params["run_id"])

    def finish(self):
        list(self.hooks.after_pipeline_run(self.params))  # a wrapper of others

    def fail(self, error):
        self.hooks.on_pipeline_error(error, self.params)


def outputs_of(name):
    (found,) = [each for each in PIPELINE.nodes if each.name == f"{each.namespace}.{name}"]
    return found.outputs


ALL = ("train", "report", "choose", "fit", "score", "write", "decide")
FINISHED = dict.fromkeys(("parent", "tiny", "final_model"), "FINISHED")


@pytest.fixture(scope="session")
def database(tmp_path_factory):
    """The address of a database whose tables are made, which takes seconds."""
    uri = store(tmp_path_factory.mktemp("database"))
    MlflowClient(uri).search_experiments()
    return uri


@pytest.fixture
def begin(tmp_path, database):
    """Function that starts a tracked run in the shared database, in an experiment of the test's."""

    def begin(**changes):
        defaults = {"uri": database, "experiment": tmp_path.name, "project": tmp_path / "project"}
        return Run(**({"hooks": TrackingHooks()} | defaults | changes)).start()

    return begin


def runs_in(uri, experiment=EMBEDDED_NAME):
    """Return a client and the runs of a store by name, the parent under the name `parent`."""
    client = MlflowClient(uri)
    found = client.get_experiment_by_name(experiment)
    runs = client.search_runs([found.experiment_id]) if found else []
    names = {
        run.info.run_name if "mlflow.parentRunId" in run.data.tags else "parent": run
        for run in runs
    }
    return client, names


def statuses(uri, experiment):
    return {name: run.info.status for name, run in runs_in(uri, experiment)[1].items()}


def store(folder):
    return f"sqlite:///{folder / 'mlflow.db'}"


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "127.0.0.1")


@pytest.fixture(name="free_port")
def free_port_fixture():
    return free_port()


@contextmanager
def serving(command, port, cwd, path="/health", **environment):
    """Run a server on this machine until the block ends; waits until it answers."""
    environment |= {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    scripts = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # MLflow's own
    process = subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=cwd,
        env=os.environ | {"PATH": scripts} | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_until(lambda: answers(f"http://127.0.0.1:{port}{path}"))
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def answers(url):
    try:
        return urllib.request.urlopen(url, timeout=2).status == 200  # noqa: S310 (a server of ours)
    except OSError:
        return False


def wait_until(condition, seconds=180):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"nothing happened in {seconds} s")
        time.sleep(0.1)
