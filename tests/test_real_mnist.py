"""On the official files, candidates and a final model reach accuracies that mean something."""

import json
from pathlib import Path

import pandas as pd
import pytest
import yaml

pytestmark = pytest.mark.slow

CANDIDATES = Path("conf", "base", "parameters_model_training.yml")
FLOORS = {"logistic_regression": 0.94, "mlp_64": 0.95, "cnn": 0.975}  # of 800 validation images


@pytest.fixture(scope="module")
def trained(real_mnist, tmp_path_factory, copy_project, run_kedro):
    """A project with candidates of the default run, trained on 3,200 images."""
    project = copy_project(tmp_path_factory.mktemp("real") / "project")
    keep(project, *FLOORS)
    stages = "--pipelines=data_ingestion,data_split,model_training,model_selection"
    parameters = f"data_ingestion.source={real_mnist},data_split.sample_size=4000"
    done = run_kedro(project, "run", stages, "--params", parameters)
    assert done.returncode == 0, done.stderr
    assert "Candidates on MNIST" in done.stdout  # known by its checksums
    return project


def keep(project, *names, **changes):
    """Leave only these candidates in a project, with changed hyperparameters."""
    settings = yaml.safe_load((project / CANDIDATES).read_text())
    settings["candidates"] = {name: settings["candidates"][name] for name in names}
    for candidate in settings["candidates"].values():
        candidate["hyperparameters"] |= changes
    (project / CANDIDATES).write_text(yaml.safe_dump(settings))


def latest(project, name):
    """Return the path of the latest version of a report."""
    return max((project / "data" / "08_reporting" / name).glob(f"*/{name}"))


def test_candidates_reach_their_floors(trained):
    board = pd.read_csv(latest(trained, "leaderboard.csv")).set_index("candidate")
    accuracy = board["validation_accuracy"]
    assert {name: accuracy[name] for name, floor in FLOORS.items() if accuracy[name] < floor} == {}
    assert accuracy.idxmax() == "cnn"


def test_a_final_model_of_all_images_is_better_and_its_export_reads_alike(trained, run_kedro):
    keep(trained, "mlp_64", epochs=4)
    done = run_kedro(trained, "run", "--pipelines=model_training,model_selection,final_training")
    assert done.returncode == 0, done.stderr
    metrics = json.loads(latest(trained, "final_metrics.json").read_text())
    assert metrics["n_test"] == 10_000
    assert metrics["test_accuracy"] >= 0.965
    (path,) = (trained / "data/06_models/final_model").glob("manifest.json/*/manifest.json")
    export = json.loads(path.read_text())["onnx"]
    assert (export["compared"], export["different_labels"]) == (10_000, 0)
    assert export["largest_probability_difference"] < 1e-5
