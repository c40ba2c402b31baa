"""The same commit, data, seed and number of threads give the same results to the bit.

Fresh clones, one run node by node and the others with candidates side by side, in threads and in
processes, save the same files. The cost is one that is counted: seconds, the default, are measured,
so no rule can make a choice by them certain.
"""

import json

import pandas as pd
import pytest

from tests.faults.projects import Project

# All that may differ, by name: what was timed, and which run it was.
TIMED = {"seconds", "cpu_seconds", "fit_started", "fit_seconds", "fit_cpu_seconds"}
TIMED |= {"predict_ms_per_image", "predict_ms_single_image"}
MAY_DIFFER = TIMED | {"run_id", "version", "versions"}
LINES_THAT_MAY_DIFFER = ("- prediction", "- fit: ", "- run: ")  # of the model card
PARAMETERS = {
    "data_ingestion": {"source": "embedded"},
    "data_split": {"sample_size": 600},
    "candidates": {"cnn": {"hyperparameters": {"epochs": 2}}},
    "model_selection": {"cost": "model_bytes"},
    "tracking": {"enabled": False},
}

pytestmark = pytest.mark.slow


def without_what_may_differ(value):
    if isinstance(value, dict):
        return {k: without_what_may_differ(v) for k, v in value.items() if k not in MAY_DIFFER}
    return [without_what_may_differ(each) for each in value] if isinstance(value, list) else value


def content(path):
    """What a file says, without what may differ; of all but tables and texts, its bytes."""
    if path.suffix == ".csv":
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        return table.drop(columns=MAY_DIFFER.intersection(table)).to_csv()
    if path.suffix == ".json":
        return without_what_may_differ(json.loads(path.read_text()))
    if path.suffix == ".md":
        lines = path.read_text().splitlines()
        return [line for line in lines if not line.startswith(LINES_THAT_MAY_DIFFER)]
    return path.read_bytes()


@pytest.fixture(scope="module")
def saved_by(tmp_path_factory):
    """Function that returns what a run on a fresh clone has saved, by path without the version."""

    def run(runner):
        candidates = ("random_forest", "mlp_64", "cnn")
        project = Project(tmp_path_factory.mktemp("clone"), candidates, PARAMETERS)
        done = project.run(f"--runner={runner}")
        assert done.returncode == 0, done.stderr
        files = [path for path in (project.folder / "data").rglob("*") if path.is_file()]
        return {str(path.relative_to(project.folder).parent.parent): path for path in files}

    return run


@pytest.fixture(scope="module")
def one_after_the_other(saved_by):
    return saved_by("SequentialRunner")


@pytest.mark.parametrize("runner", ["ThreadRunner", "ParallelRunner"])
def test_side_by_side_or_not_the_same_is_saved(one_after_the_other, saved_by, runner):
    one, other = one_after_the_other, saved_by(runner)
    assert set(one) == set(other)
    assert [name for name in one if content(one[name]) != content(other[name])] == []


def test_models_predictions_order_and_champion_are_compared(one_after_the_other):
    assert {
        "data/06_models/cnn/model.pkl",
        "data/06_models/final_model/model.onnx",
        "data/06_models/final_model/model.pkl",
        "data/07_model_output/contact_sheet.png",
        "data/07_model_output/random_forest/validation_predictions.csv",
        "data/08_reporting/champion.json",
        "data/08_reporting/leaderboard.csv",
    } <= one_after_the_other.keys()


def test_nothing_but_these_names_is_left_out(tmp_path):
    path = tmp_path / "metrics.json"
    path.write_text('{"a": {"fit_seconds": 1, "b": [{"seconds": 2, "c": 3}]}, "log_loss": 0.1}')
    assert content(path) == {"a": {"b": [{"c": 3}]}, "log_loss": 0.1}
    path = tmp_path / "history.csv"
    path.write_text("epoch,seconds,train_loss\n1,0.5,0.10\n")
    assert content(path) == ",epoch,train_loss\n0,1,0.10\n"
