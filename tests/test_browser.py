"""What people see in a browser after a run: MLflow's UI and Kedro-Viz's site, in real Chromium."""

import csv
import re
import shutil
from urllib.parse import quote, urlsplit

import pytest
from playwright.sync_api import expect

from docs import pages
from mnist_kedro.pipelines.data_ingestion.nodes import EMBEDDED_NAME

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
    with pages.mlflow_ui(seen_project) as links:
        yield links


@pytest.fixture(scope="module")
def viz_site(seen_project):
    with pages.viz_site(seen_project) as url:
        yield url


@pytest.fixture(scope="module")
def candidates(seen_project):
    """Rows of the leaderboard's file, by candidate."""
    (path,) = seen_project.glob("data/08_reporting/leaderboard.csv/*/leaderboard.csv")
    with path.open() as lines:
        return {row["candidate"]: row for row in csv.DictReader(lines)}


def cells(page, column, inside=""):
    """What a column of MLflow's table of runs shows, from top to bottom."""
    texts = page.locator(f".ag-row [col-id='{column}'] {inside}").evaluate_all(
        "cells => cells.map(cell => [+cell.closest('.ag-row').ariaRowIndex, cell.innerText])"
    )
    return [text for _, text in sorted(texts)]


def test_the_first_link_to_mlflow_shows_the_candidates_best_first(page, mlflow_ui, candidates):
    hosts = set()
    page.on("request", lambda request: hosts.add(urlsplit(request.url).hostname))
    pages.open_runs(page, mlflow_ui[0])
    page.locator("[col-id='metrics.`model_bytes`']").nth(len(CANDIDATES)).wait_for()
    names = cells(page, "attributes.`Run Name`", "a")
    assert sorted(names) == sorted(CANDIDATES)
    shown = [float(text) for text in cells(page, "metrics.`validation_accuracy`")]
    assert shown == sorted(shown, reverse=True)
    rows = [candidates[name] for name in names]
    assert shown == [round(float(row["validation_accuracy"]), 6) for row in rows]
    for text, row in zip(cells(page, "attributes.`Description`"), rows, strict=True):
        ends = (100 * float(row[f"validation_accuracy_{end}"]) for end in ("low", "high"))
        assert "({:.2f} to {:.2f})".format(*ends) in text
    assert cells(page, "metrics.`model_bytes`") == [row["model_bytes"] for row in rows]
    seconds = [float(text) for text in cells(page, "metrics.`fit_seconds`")]
    assert seconds == [round(float(row["fit_seconds"]), 6) for row in rows]
    for column in ("Run Name", "Description", "fit_seconds", "model_bytes"):  # none is cut off
        box = page.locator(".ag-header-cell").filter(has_text=column).first.bounding_box()
        assert box["x"] + box["width"] <= 1280
    expect(page.get_by_text("Assistant")).to_have_count(0)
    expect(page.get_by_text("Evaluation")).to_have_count(0)  # of the GenAI page
    assert hosts == {"mlflow.localhost"}


def test_a_candidate_s_page_shows_its_settings_at_first_sight(page, mlflow_ui):
    pages.open_runs(page, mlflow_ui[0])
    page.get_by_role("link", name="cnn", exact=True).click()
    settings = page.locator("code").filter(has_text="network: cnn")
    assert settings.bounding_box()["y"] < 500
    tags = page.get_by_text("git_dirty")
    expect(tags).to_have_count(1)


def test_the_second_link_draws_accuracies_seconds_and_a_curve_per_epoch(page, mlflow_ui):
    pages.open_runs(page, mlflow_ui[1])
    charts = page.locator(".js-plotly-plot")
    for number in (0, 1):
        expect(charts.nth(number).locator(".barlayer .point")).to_have_count(len(CANDIDATES))
    lines = charts.nth(2).locator("path.js-line")
    lines.first.wait_for()
    points = lines.evaluate_all(
        "lines => lines.map(line => line.getAttribute('d')?.split('L').length)"
    )
    assert 4 in points  # the epochs of the cnn; Plotly leaves points out of longer lines


def test_the_third_link_compares_the_champions(page, mlflow_ui, candidates):
    pages.open_runs(page, mlflow_ui[2])
    page.locator("[col-id='metrics.`test_accuracy`']").nth(1).wait_for()
    (champion,) = [row for row in candidates.values() if row["champion"] == "True"]
    accuracy = f"{100 * float(champion['validation_accuracy']):.2f} %"
    name = f"{EMBEDDED_NAME} · 1,437 images · {champion['candidate']} {accuracy}"
    assert cells(page, "attributes.`Run Name`", "a") == [name]


def test_mlflow_names_the_champion_among_the_registered_models(page, mlflow_ui):
    page.goto(f"{mlflow_ui[0].partition('#')[0]}#/models/{quote(EMBEDDED_NAME)}")
    row = page.get_by_role("row").filter(has_text="Version 1")
    assert re.search(r"@\s*champion", row.inner_text())


def test_kedro_viz_draws_a_box_per_stage_and_candidate_and_previews_what_is_chosen(page, viz_site):
    pages.open_graph(page, viz_site)
    boxes = page.locator(".pipeline-node--modularPipeline")
    names = boxes.evaluate_all("boxes => boxes.map(box => box.dataset.nodeFullname)")
    assert sorted(names) == sorted(STAGES + CANDIDATES)
    for dataset, drawing in PREVIEWS.items():
        pages.open_graph(page, viz_site, f"?pid=__default__&sn={dataset}")  # as if clicked
        panel = page.locator(".pipeline-metadata")
        expect(panel.locator("h2")).to_have_text(dataset)
        panel.locator(drawing).first.wait_for()
