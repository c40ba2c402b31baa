"""`--env=cluster` for real: S3, PostgreSQL, MLflow, a scheduler and two workers, all processes."""

import shutil
import socket
import tempfile
from itertools import pairwise
from pathlib import Path, PurePath

import optuna
import pytest
from dotenv import dotenv_values
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline, node
from pyarrow.fs import FileSelector, S3FileSystem

from cluster.__main__ import VARIABLES, down, up
from cluster.services import ports
from mnist_kedro.runners import DaskRunner
from tests.runners import nodes

pytestmark = pytest.mark.slow

RUN = (
    *("run", "--env=cluster", "--params=data_ingestion.source=embedded"),
    "--namespaces=data_ingestion,data_split,mlp_64",
)


@pytest.fixture(scope="module")
def variables(tmp_path_factory):
    """Those of `cluster.env`, with free ports, also in the environment."""
    text = VARIABLES.read_text()
    for port in ports(dotenv_values(VARIABLES)).values():
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            text = text.replace(f"={port}\n", f"={free.getsockname()[1]}\n")
    file = tmp_path_factory.mktemp("variables") / "cluster.env"
    file.write_text(text)
    variables = dotenv_values(file)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        yield variables


@pytest.fixture(scope="module")
def services(variables):
    """All of them, while these tests run."""
    folder = Path(tempfile.mkdtemp())  # pytest's own is closed to PostgreSQL's user
    folder.chmod(0o755)
    try:
        up(folder, variables)
        yield folder
    except FileNotFoundError as error:
        pytest.skip(str(error))  # no PostgreSQL
    finally:
        down(folder)
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def runner(services, variables):
    """Arguments of `kedro run`."""
    address = variables["CLUSTER_SCHEDULER"]
    return "--runner=mnist_kedro.runners.DaskRunner", f"--runner-params=address={address}"


@pytest.fixture(scope="module")
def used_cluster(runner, tmp_path_factory, copy_project, run_kedro):
    """A project after a run on the cluster."""
    project = copy_project(tmp_path_factory.mktemp("cluster") / "project")
    done = run_kedro(project, *RUN, *runner)
    assert done.returncode == 0, done.stderr
    return project


def objects(variables):
    store = S3FileSystem(endpoint_override=variables["AWS_ENDPOINT_URL"])
    found = store.get_file_info(FileSelector("mnist-kedro", recursive=True))
    return store, {each.path for each in found if each.is_file}


def read(variables, name):
    """Content of the one object with this name, and this folder in its path."""
    store, paths = objects(variables)
    (path,) = [each for each in paths if PurePath(each).match(name)]
    return store.open_input_file(path).read()


def test_a_run_has_all_it_saves_in_the_cluster(used_cluster, variables, runner, run_kedro):
    assert not (used_cluster / "data").exists()
    assert not (used_cluster / "mlflow.db").exists()

    assert statuses(variables) == {"mlp_64": "FINISHED", "parent": "FINISHED"}
    _, paths = objects(variables)
    again = run_kedro(used_cluster, *RUN, *runner, "--only-missing-outputs")
    assert again.returncode == 0, again.stderr
    assert objects(variables)[1] == paths


def test_results_there_are_those_of_a_sequential_run(used_cluster, variables, finished_project):
    names = ("mlp_64/model.pkl", "mlp_64/validation_predictions.csv", "splits.csv")
    for name in (*names, "train-images-idx3-ubyte", "mlp_64/misread_digits.png"):
        (path,) = finished_project[0].glob(f"data/*/{name}/*/{PurePath(name).name}")
        assert read(variables, f"{name}/*/{path.name}") == path.read_bytes()


def test_what_a_killed_worker_has_left_there_is_made_anew(services, variables, tmp_path):
    config = {
        name: {
            "type": "pickle.PickleDataset",
            "filepath": f"s3://mnist-kedro/killed/{name}",
            "versioned": True,
        }
        for name in ("begun", "left", "right")
    }
    catalog = DataCatalog.from_config(config, save_version="v1")
    marker = catalog["marker"] = str(tmp_path / "marker")
    two = node(nodes.two_outputs, ["begun", "marker"], ["left", "right"], name="two")
    begun = Pipeline([node(nodes.first, None, "begun", name="first"), two])
    DaskRunner(variables["CLUSTER_SCHEDULER"]).run(begun, catalog, run_id="v1")
    assert Path(marker).exists()  # so the first attempt was killed, with `left` saved
    assert (catalog.load("left"), catalog.load("right").marker) == ("one", marker)


def statuses(variables):
    import mlflow

    client = mlflow.MlflowClient(variables["MLFLOW_TRACKING_URI"])
    experiment = client.get_experiment_by_name("mnist_kedro")
    return {
        run.info.run_name if "mlflow.parentRunId" in run.data.tags else "parent": run.info.status
        for run in client.search_runs([experiment.experiment_id])
    }


def test_both_workers_try_networks_of_a_search(used_cluster, variables, runner, run_kedro):
    search = ("run", "--env=cluster", "--pipelines=tuning", "--params=tuning.trials=4")
    done = run_kedro(used_cluster, *search, *runner)
    assert done.returncode == 0, done.stderr
    storage = variables["CLUSTER_TUNING"]
    (study,) = optuna.get_all_study_summaries(storage)
    trials = optuna.load_study(study_name=study.study_name, storage=storage).trials
    assert [trial.state.name for trial in trials] == ["COMPLETE"] * 4
    times = sorted((trial.datetime_start, trial.datetime_complete) for trial in trials)
    # A worker tries one at a time.
    assert any(start < end for (_, end), (start, _) in pairwise(times))


def test_an_object_is_whole_or_absent(services, variables):
    from mnist_kedro.run.object_store import ObjectStore

    store = ObjectStore()
    path = "mnist-kedro/new"
    with pytest.raises(ZeroDivisionError), store.open(path, "w") as file:
        file.write(f"half {1 / 0}")
    assert not store.exists(path)
    with store.open(path, "w") as file:
        file.write("whole")
    assert store.cat(path) == b"whole"


def test_nothing_of_it_is_left(services, variables):
    down(services)
    for port in ports(variables).values():
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), 1)
    assert list(services.glob("*.pid")) == []
