"""Views that a run saves for MLflow's page, and links to them: tests/test_browser.py opens them."""

import json
from types import SimpleNamespace

from mnist_kedro.tracking.views import links, save_views


def saved():
    """What `save_views` saves for a run, by the key of the view."""
    tags = {}
    client = SimpleNamespace(set_experiment_tag=lambda _, key, value: tags.update({key: value}))
    save_views(client, "1", "abc", "d1g")
    assert all(len(value) < 5000 for value in tags.values())  # what older servers take
    views = {key.removeprefix("mlflow.sharedViewState."): json.loads(tags[key]) for key in tags}
    return {key: view | {"state": json.loads(view["state"])} for key, view in views.items()}


def test_a_view_shows_the_candidates_of_the_run_best_first():
    view = saved()["candidates"]
    assert view["name"] == "Candidates of the latest run"
    assert isinstance(view["createdAt"], int)
    state = view["state"]
    assert state["searchFilter"].startswith("tags.mlflow.parentRunId = 'abc' and ")
    assert (state["orderByKey"], state["orderByAsc"]) == ("metrics.`validation_accuracy`", False)
    assert {"metrics.`fit_seconds`", "metrics.`model_bytes`"} < set(state["selectedColumns"])
    assert "metrics.`test_accuracy`" not in state["selectedColumns"]
    charts = [(each["type"], each["metricKey"]) for each in state["compareRunCharts"]]
    bars = [("BAR", "validation_accuracy"), ("BAR", "fit_seconds")]
    assert charts == [*bars, ("LINE", "validation_accuracy"), ("LINE", "train_loss")]


def test_a_view_compares_the_champions_on_the_same_data():
    state = saved()["champions"]["state"]
    assert state["searchFilter"].startswith("dataset.digest = 'd1g' and ")
    assert "metrics.`test_accuracy`" in state["selectedColumns"]


def test_links_have_no_password():
    found = list(links("https://me:secret@host/mlflow/", "7").values())
    view = (
        "https://host/mlflow/#/experiments/7/runs?workflowType=machine_learning&viewStateShareKey="
    )
    charts = "candidates&compareRunsMode=CHART"
    assert found == [f"{view}candidates", f"{view}{charts}", f"{view}champions"]
