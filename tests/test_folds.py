"""Whole runs with `data_split.folds`: a cross-validation beside the single split."""

import mlflow
import numpy as np
import pytest

from mnist_kedro.tracking.results import numbers
from tests.faults.projects import Project
from tests.kedro_process import load

pytestmark = pytest.mark.slow

FEW = ("logistic_regression", "mlp_64")


def run(project, *arguments):
    done = project.run(*arguments)
    assert done.returncode == 0, done.stderr
    return done


def count(project, path):
    return len(list((project.folder / "data" / path).iterdir()))


def tracked_metrics(project, name):
    """Return the metrics in MLflow of the latest run with this name."""
    client = mlflow.MlflowClient(f"sqlite:///{project.folder}/mlflow.db")
    experiment = client.get_experiment_by_name("mnist_kedro").experiment_id
    where, order = f"attributes.run_name = '{name}'", ["attributes.start_time DESC"]
    return client.search_runs([experiment], where, order_by=order)[0].data.metrics


def test_folds_choose_the_champion_and_nothing_finished_is_repeated(tmp_path):
    project = Project(tmp_path, FEW)
    run(project)
    arguments = ["--params=data_split.folds=2", "--only-missing-outputs"]
    done = run(project, *arguments, "--runner=ParallelRunner")
    assert "In 2 folds of 1,437 images" in done.stdout
    names = ["splits", "leaderboard", "champion", "fold_scores", "fold_leaderboard", "model_card"]
    splits, leaderboard, champion, scores, board, card = load(project.folder, *names)
    assert sorted(zip(scores["candidate"], scores["fold"], strict=True)) == [
        (name, fold) for name in FEW for fold in (1, 2)
    ]
    assert list(board["candidate"]) == list(leaderboard["candidate"])

    winner = champion["candidate"]
    pooled, metrics = load(
        project.folder, f"{winner}.pooled_predictions", f"{winner}.pooled_metrics"
    )
    np.testing.assert_array_equal(pooled["index"], splits["index"])
    correct = pooled["label"] == pooled["prediction"]
    assert champion["validation_accuracy"] == correct.mean() > 0.9
    assert champion["folds"] == 2
    assert champion["reason"].endswith("a 2-fold cross-validation say so.")
    assert "of the rest, in 2 folds" in card
    found = tracked_metrics(project, max(project.records()))
    assert {name: found[name] for name in numbers(metrics)} == pytest.approx(numbers(metrics))
    found = tracked_metrics(project, winner)
    assert found["validation_accuracy"] == metrics["validation_accuracy"]
    accuracies = scores.loc[scores["candidate"] == winner, "validation_accuracy"]
    assert found["fold_accuracy_mean"] == pytest.approx(accuracies.mean())

    for name in FEW:  # the candidates themselves were not fitted again
        assert count(project, f"06_models/{name}/model.pkl") == 1
    run(project, *arguments)
    assert count(project, "08_reporting/fold_scores.csv") == 1
