"""What people see in a browser after a run: MLflow's UI and Kedro-Viz's site, in real Chromium."""

import csv
import re
import shutil
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from docs import pages

CANDIDATES = ["logistic_regression", "random_forest", "mlp_64", "mlp_128", "mlp_128_128", "cnn"]
STAGES = ["data_ingestion", "data_split", "model_selection", "final_training", "inference"]
# Datasets with a preview, and what Kedro-Viz draws it with.
PREVIEWS = {
    "leaderboard": "table.preview-table",
    "sample_grid": "img.pipeline-metadata__plot-image",
    "learning_curves": ".js-plotly-plot path.js-line",
    "accuracy_against_cost": ".js-plotly-plot path.point",
    "contact_sheet": "img.pipeline-metadata__plot-image",
    "final_metrics": ".pipeline-metadata__preview-json",
}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        pages.CHROMIUM is None, reason="Chromium is not installed (apt-get install chromium)"
    ),
]


@pytest.fixture
def page():
    """A page of a browser that cannot reach anything outside of this machine."""
    with pages.chromium_page() as page:
        yield page


@pytest.fixture(scope="module")
def seen_project(finished_project, tmp_path_factory):
    """A copy of the finished project, for the servers to write into."""
    return shutil.copytree(finished_project[0], tmp_path_factory.mktemp("seen") / "project")


@pytest.fixture(scope="module")
def mlflow_ui(seen_project):
    with pages.mlflow_ui(seen_project) as url:
        yield url


@pytest.fixture(scope="module")
def viz_site(seen_project):
    with pages.viz_site(seen_project) as url:
        yield url


@pytest.fixture(scope="module")
def accuracies(seen_project):
    """Validation accuracy of each candidate, from the leaderboard's file."""
    (path,) = seen_project.glob("data/08_reporting/leaderboard.csv/*/leaderboard.csv")
    with path.open() as lines:
        rows = csv.DictReader(lines)
        return {row["candidate"]: float(row["validation_accuracy"]) for row in rows}


def exactly(text):
    return re.compile(f"^{re.escape(text)}$")


def cells(page, column, inside=""):
    """What a column of MLflow's table of runs shows, from top to bottom."""
    texts = page.locator(f".ag-row [col-id='{column}'] {inside}").evaluate_all(
        "cells => cells.map(cell => [+cell.closest('.ag-row').ariaRowIndex, cell.innerText])"
    )
    return [text for _, text in sorted(texts)]


def test_mlflow_lists_the_runs_by_accuracy(page, mlflow_ui, accuracies):
    pages.open_runs(page, mlflow_ui)
    page.get_by_role("button", name="Columns", exact=True).click()
    page.get_by_placeholder("Search columns").fill("validation_accuracy")
    metric = page.locator(".du-bois-light-tree-title").filter(
        has_text=exactly("validation_accuracy")
    )
    metric.click()
    page.keyboard.press("Escape")
    page.locator(".ag-row [col-id='metrics.`validation_accuracy`']").nth(7).wait_for()
    names = cells(page, "attributes.`Run Name`", "a")
    shown = [float(text) for text in cells(page, "metrics.`validation_accuracy`")]
    assert shown == sorted(shown, reverse=True)
    assert dict(zip(names, shown, strict=True)).items() >= accuracies.items()
    assert {"final_model", *CANDIDATES} < set(names)
    assert len(names) == 8  # and the run that they belong to


def test_mlflow_shows_candidates_below_their_run(page, mlflow_ui):
    page.goto(mlflow_ui)
    page.get_by_role("link", name="mnist_kedro").first.click()
    page.locator(".ag-row button").first.click()
    page.get_by_role("link", name="cnn", exact=True).wait_for()
    parent, *children = cells(page, "attributes.`Run Name`", "a")
    assert set(children) == {"final_model", *CANDIDATES}
    assert parent not in children


def test_mlflow_draws_the_runs_side_by_side_and_asks_nobody_outside(page, mlflow_ui):
    hosts = set()
    page.on("request", lambda request: hosts.add(urlsplit(request.url).hostname))
    pages.open_runs(page, mlflow_ui, "CHART")
    pages.show_charts(page, "validation_accuracy", "fit_seconds")
    bars = page.locator(".js-plotly-plot .barlayer .point")
    expect(bars).to_have_count(8)  # of `fit_seconds`: one per run
    assert hosts - {None} == {"127.0.0.1"}


def test_mlflow_draws_a_curve_per_epoch(page, mlflow_ui):
    pages.open_runs(page, mlflow_ui)
    page.get_by_role("link", name="cnn", exact=True).click()
    page.get_by_role("tab", name="Model metrics").click()
    pages.show_charts(page, "validation_accuracy")
    line = page.locator(".js-plotly-plot path.js-line").first
    line.wait_for()
    assert line.get_attribute("d").count("L") == 3  # four epochs


def test_mlflow_names_the_champion_among_the_registered_models(page, mlflow_ui):
    page.goto(f"{mlflow_ui}/#/models/mnist_kedro")
    row = page.get_by_role("row").filter(has_text="Version 1")
    assert re.search(r"@\s*champion", row.inner_text())


def test_kedro_viz_draws_a_box_per_stage_and_candidate_and_previews_what_is_clicked(page, viz_site):
    pages.open_graph(page, viz_site)
    boxes = page.locator(".pipeline-node--modularPipeline")
    names = boxes.evaluate_all("boxes => boxes.map(box => box.dataset.nodeFullname)")
    assert sorted(names) == sorted(STAGES + CANDIDATES)
    for dataset, drawing in PREVIEWS.items():
        pages.open_graph(page, viz_site)
        page.get_by_placeholder("Search").fill(dataset)
        page.locator(".row-text__label").filter(has_text=exactly(dataset)).click()
        panel = page.locator(".pipeline-metadata")
        expect(panel.locator("h2")).to_have_text(dataset)
        panel.locator(drawing).first.wait_for()
