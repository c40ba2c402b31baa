"""`--env=cluster` for real: S3, MLflow, a scheduler and two workers, each a process."""

import socket
from pathlib import PurePath

import mlflow
import pytest
import s3fs
from dotenv import dotenv_values
from kedro.io import DataCatalog

from cluster.__main__ import BUCKET, VARIABLES, run_cluster
from mnist_kedro.pipelines.data_ingestion.nodes import EMBEDDED_NAME

pytestmark = pytest.mark.slow

RUN = (
    *("run", "--env=cluster", "--params=data_ingestion.source=embedded,tracking.enabled=true"),
    *("--namespaces=data_ingestion,data_split,mlp_64", "--runner=mnist_kedro.runners.DaskRunner"),
)


@pytest.fixture(scope="module")
def variables(tmp_path_factory):
    """Those of `cluster.env`, with free ports, also in the environment."""
    text = VARIABLES.read_text()
    for name, value in dotenv_values(VARIABLES).items():
        if name.endswith("_PORT"):
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                text = text.replace(f"={value}\n", f"={free.getsockname()[1]}\n")
    file = tmp_path_factory.mktemp("variables") / "cluster.env"
    file.write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in dotenv_values(file).items():
            patch.setenv(name, value)
        yield dotenv_values(file)


@pytest.fixture(scope="module")
def files(variables, tmp_path_factory):
    """The S3 server of a running cluster."""
    with run_cluster(tmp_path_factory.mktemp("cluster"), variables):
        yield s3fs.S3FileSystem()


@pytest.fixture(scope="module")
def used_cluster(files, variables, tmp_path_factory, copy_project, run_kedro):
    """A project after a run on the cluster."""
    project = copy_project(tmp_path_factory.mktemp("used") / "project")
    done = run_kedro(project, *RUN, f"--runner-params=address={variables['CLUSTER_SCHEDULER']}")
    assert done.returncode == 0, done.stderr
    return project


def test_a_run_keeps_everything_in_the_cluster(used_cluster, variables):
    assert not (used_cluster / "data").exists()
    assert not (used_cluster / "mlflow.db").exists()
    client = mlflow.MlflowClient(variables["MLFLOW_TRACKING_URI"])
    experiment = client.get_experiment_by_name(EMBEDDED_NAME)
    runs = client.search_runs([experiment.experiment_id])
    assert [run.info.status for run in runs] == ["FINISHED"] * 2  # the run and its candidate


@pytest.mark.parametrize(
    "name",
    ["train-images-idx3-ubyte", "splits.csv", "mlp_64/model.pkl", "mlp_64/report.png"],
)
def test_results_there_are_those_of_a_sequential_run(used_cluster, files, finished_project, name):
    (path,) = finished_project[0].glob(f"data/*/{name}/*/{PurePath(name).name}")
    (there,) = files.glob(f"{BUCKET}/data/*/{name}/*/{path.name}")
    assert files.cat(there) == path.read_bytes()


def test_what_is_there_need_not_be_made_again(used_cluster, files, run_kedro):
    before = files.find(BUCKET)
    done = run_kedro(used_cluster, *RUN, "--only-missing-outputs")
    assert done.returncode == 0, done.stderr
    files.invalidate_cache()
    assert files.find(BUCKET) == before


def test_credentials_of_the_catalog_are_used(files, variables, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name)
    entry = {"type": "json.JSONDataset", "filepath": f"s3://{BUCKET}/five.json"}
    keys = {"key": "a", "secret": "b", "endpoint_url": variables["AWS_ENDPOINT_URL"]}
    catalog = DataCatalog.from_config({"five": entry | {"credentials": "s3"}}, {"s3": keys})
    catalog.save("five", 5)
    assert files.cat(f"{BUCKET}/five.json") == b"5"
    assert catalog.load("five") == 5
