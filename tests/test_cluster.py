"""`--env=cluster` for real: S3, PostgreSQL, MLflow, a scheduler and two workers, all processes."""

import json
import shutil
import socket
import tempfile
from pathlib import Path

import pytest
from dotenv import dotenv_values
from pyarrow.fs import FileSelector, S3FileSystem

from cluster.__main__ import VARIABLES, down, up
from cluster.services import ports

pytestmark = pytest.mark.slow

RUN = (
    *("run", "--env=cluster", "--params=data_ingestion.source=embedded"),
    "--namespaces=data_ingestion,data_split,mlp_64",
)


@pytest.fixture
def variables(monkeypatch, tmp_path):
    """Those of `cluster.env`, with free ports, also in the environment."""
    text = VARIABLES.read_text()
    for port in ports(dotenv_values(VARIABLES)).values():
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            text = text.replace(f"={port}\n", f"={free.getsockname()[1]}\n")
    (tmp_path / "cluster.env").write_text(text)
    variables = dotenv_values(tmp_path / "cluster.env")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return variables


@pytest.fixture
def services(variables):
    """All of them, while the test runs."""
    folder = Path(tempfile.mkdtemp())  # pytest's own is closed to PostgreSQL's user
    folder.chmod(0o755)
    try:
        up(folder, variables)
        yield folder
    except FileNotFoundError as error:
        pytest.skip(str(error))  # no PostgreSQL, or no uv
    finally:
        down(folder)
        shutil.rmtree(folder)


def objects(variables):
    store = S3FileSystem(endpoint_override=variables["AWS_ENDPOINT_URL"])
    found = store.get_file_info(FileSelector("mnist-kedro", recursive=True))
    return store, {Path(each.path).name: each.path for each in found if each.is_file}


def test_a_run_has_all_it_saves_in_the_cluster(services, variables, project, run_kedro):
    runner = "--runner=mnist_kedro.runners.DaskRunner"
    where = f"--runner-params=address={variables['CLUSTER_SCHEDULER']}"
    done = run_kedro(project, *RUN, runner, where)
    assert done.returncode == 0, done.stderr
    assert not (project / "data").exists()
    assert not (project / "mlflow.db").exists()

    store, paths = objects(variables)
    expected = {"train-images-idx3-ubyte", "splits.csv", "model.pkl", "model.pkl.json"}
    assert expected | {"metrics.json", "misread_digits.png"} <= set(paths)
    metrics = json.load(store.open_input_file(paths["metrics.json"]))
    assert metrics["validation_accuracy"] > 0.95

    assert statuses(variables) == {"mlp_64": "FINISHED", "parent": "FINISHED"}
    again = run_kedro(project, *RUN, runner, where, "--only-missing-outputs")
    assert again.returncode == 0, again.stderr
    assert len(objects(variables)[1]) == len(paths)


def statuses(variables):
    import mlflow

    client = mlflow.MlflowClient(variables["MLFLOW_TRACKING_URI"])
    experiment = client.get_experiment_by_name("mnist_kedro")
    return {
        run.info.run_name if "mlflow.parentRunId" in run.data.tags else "parent": run.info.status
        for run in client.search_runs([experiment.experiment_id])
    }


def test_an_object_is_whole_or_absent(services, variables):
    from mnist_kedro.object_store import ObjectStore

    store = ObjectStore()
    path = "mnist-kedro/new"
    with pytest.raises(ZeroDivisionError), store.open(path, "w") as file:
        file.write(f"half {1 / 0}")
    assert not store.exists(path)
    with store.open(path, "w") as file:
        file.write("whole")
    assert store.cat(path) == b"whole"


def test_nothing_of_it_is_left(variables):
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    try:
        up(folder, variables)
    except FileNotFoundError as error:
        pytest.skip(str(error))
    finally:
        down(folder)
    for port in ports(variables).values():
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), 1)
    assert list(folder.glob("*.pid")) == []
    shutil.rmtree(folder)
