"""What `make viz-build` writes, read as Kedro-Viz in the browser reads it."""

import base64
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from itertools import combinations
from pathlib import Path
from threading import Timer
from urllib.request import ProxyHandler, build_opener

import pandas as pd
import pytest

from docs import pages

pytestmark = pytest.mark.slow

CANDIDATES = {"logistic_regression", "random_forest", "mlp_64", "mlp_128", "mlp_128_128", "cnn"}
STAGES = {"data_ingestion", "data_split", "model_selection", "final_training", "inference"}
LAYERS = ["raw", "model_input", "models", "predictions", "reporting", "final"]
MAKEFILE = Path(__file__).parents[1] / "Makefile"


class Site:
    """A static site of Kedro-Viz."""

    def __init__(self, folder):
        self.api = folder / "build" / "api"
        self.graph = json.loads((self.api / "main").read_text())
        self.nodes = {node["id"]: node for node in self.graph["nodes"]}

    def node(self, name):
        (found,) = [node for node in self.nodes.values() if node["name"] == name]
        return found

    def panel(self, name):
        return json.loads((self.api / "nodes" / self.node(name)["id"]).read_text())

    def preview(self, name):
        panel = self.panel(name)
        return panel["preview_type"], panel["preview"]


@pytest.fixture(scope="module")
def site(finished_project, run_kedro, tmp_path_factory):
    """The site of the finished project."""
    folder = shutil.copytree(finished_project[0], tmp_path_factory.mktemp("viz") / "project")
    done = run_kedro(folder, "viz", "build", "--include-previews")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return Site(folder)


@pytest.fixture(scope="module")
def saved(finished_project):
    """Function that returns the one version of a file that the run saved."""

    def find(path):
        (file,) = (finished_project[0] / "data" / path).glob("*/*")
        return file

    return find


def test_layers_are_in_data_flow_order(site):
    assert site.graph["layers"] == LAYERS


def test_each_saved_dataset_has_a_layer(site):
    data = [node for node in site.nodes.values() if node["type"] == "data"]
    unlayered = {node["name"] for node in data if node["layer"] is None}
    assert unlayered == {"provenance"}  # which is not saved


def test_at_the_top_there_are_boxes_and_what_goes_between_them(site):
    boxes = site.graph["modular_pipelines"]
    children = boxes["__root__"]["children"]
    top = {child["id"] for child in children if child["type"] == "modularPipeline"}
    assert top == CANDIDATES | STAGES
    assert {child["type"] for child in children} == {"modularPipeline", "data", "parameters"}
    crossing = {id_ for box in top for id_ in (*boxes[box]["inputs"], *boxes[box]["outputs"])}
    assert {child["id"] for child in children} == top | crossing


def test_a_box_holds_its_nodes_by_their_short_names(site):
    box = site.graph["modular_pipelines"]["final_training"]
    names = {site.nodes[child["id"]]["name"] for child in box["children"]}
    assert {"train_final_model", "export_final_model", "extra_test"} <= names
    assert site.node("train_final_model")["full_name"] == "final_training.train_final_model"


def test_tables_are_previewed_whole(site, saved):
    kind, preview = site.preview("leaderboard")
    table = pd.read_csv(saved("08_reporting/leaderboard.csv"))
    assert kind == "TablePreview"
    assert preview["columns"] == list(table)
    assert [row[0] for row in preview["data"]] == list(table["candidate"])


def test_statistics_are_those_of_the_file(site, saved):
    file = saved("05_model_input/splits.csv")
    statistics = {"rows": 1437, "columns": 3, "file_size": file.stat().st_size}
    assert site.panel("splits")["stats"] == statistics


def test_charts_are_previewed(site):
    kind, chart = site.preview("accuracy_against_cost")
    assert kind == "PlotlyPreview"
    assert {trace["name"] for trace in chart["data"]} == CANDIDATES | {"Pareto front"}
    kind, curves = site.preview("learning_curves")
    assert kind == "PlotlyPreview"
    networks = {"mlp_64", "mlp_128", "mlp_128_128", "cnn"}
    assert sorted(trace["name"] for trace in curves["data"]) == sorted([*networks, *networks])


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("sample_grid", "sample_grid.png"),
        ("final_report", "final_report.png"),
        ("cnn.report", "cnn/report.png"),
    ],
)
def test_pictures_are_previewed(site, saved, name, path):
    kind, picture = site.preview(name)
    assert kind == "ImagePreview"
    assert base64.b64decode(picture) == saved(f"08_reporting/{path}").read_bytes()


def test_the_model_card_is_previewed(site, saved):
    kind, html = site.preview("model_card")
    assert kind == "HTMLPreview"
    title, *_ = saved("08_reporting/model_card.md").read_text().splitlines()
    assert title.startswith("# ")
    assert f">{title[2:]}</h1>" in html.replace('<wbr title=".\n.">', "")
    assert "<table>" in html


@pytest.mark.skipif(
    pages.CHROMIUM is None, reason="Chromium is not installed (apt-get install chromium)"
)
@pytest.mark.parametrize(("query", "zoom"), [("", 0.25), ("?types=nodes", 0.6)])
def test_in_a_small_window_all_of_the_graph_can_be_read(site, query, zoom):
    root = site.graph["modular_pipelines"]["__root__"]["children"]
    kinds = {"modularPipeline"} if query else {"modularPipeline", "data"}
    drawn = {site.nodes[child["id"]]["name"] for child in root if child["type"] in kinds}
    with pages.served(site.api.parent) as url, pages.chromium_page(1280, 800) as page:
        assert pages.open_graph(page, url, query) >= zoom
        boxes = page.locator("#pipeline-graph .pipeline-node")
        assert set(boxes.all_text_contents()) == drawn
        places = [box.bounding_box() for box in boxes.all()]
    for one, other in combinations(places, 2):
        beside = one["x"] + one["width"] <= other["x"] or other["x"] + other["width"] <= one["x"]
        assert beside or abs(one["y"] - other["y"]) >= min(one["height"], other["height"])
    assert max(box["x"] + box["width"] for box in places) <= 1280
    assert max(box["y"] + box["height"] for box in places) <= 800


def test_styles_name_datasets_and_colour_them_by_layer(site, finished_project):
    styles = json.loads((finished_project[0] / ".viz/styles.json").read_text())
    graphs = [json.loads(path.read_text()) for path in (site.api / "pipelines").iterdir()]
    nodes = {node["name"]: node for graph in graphs for node in graph["nodes"]}
    colours = {}
    for name, style in styles.items():
        assert nodes[name]["node_extras"]["styles"] == style
        colours.setdefault(nodes[name]["layer"], []).append(style)
    assert colours.keys() == {"raw", "model_input", "reporting", "final"}  # candidates have others
    assert all(style == same[0] for same in colours.values() for style in same)


def test_the_last_saved_version_is_shown(used_project, run_kedro):
    path = used_project / "conf/base/parameters_model_training.yml"
    path.write_text(path.read_text().split("  random_forest:")[0])  # the first candidate is left
    arguments = ["--pipelines=model_selection"]
    assert run_kedro(used_project, "run", *arguments).returncode == 0
    assert run_kedro(used_project, "viz", "build", "--include-previews").returncode == 0
    _, preview = Site(used_project).preview("leaderboard")
    assert [row[0] for row in preview["data"]] == ["logistic_regression"]


def test_before_any_run_there_is_the_graph_and_no_noise(project):
    with (project / "printed").open("w") as printed:
        command = ["make", f"--file={MAKEFILE}", "--old-file=.venv/.installed", "viz"]
        server = subprocess.Popen(
            [*command, f"BIN={Path(sys.executable).parent}", "DESKTOP="],
            cwd=project,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=printed,
            text=True,
            start_new_session=True,
        )
    patience = Timer(120, os.killpg, (server.pid, signal.SIGKILL))
    patience.start()
    link = re.compile(r"Stages and candidates alone at (http://\S+)/\?types=nodes\n")
    said = next(filter(None, map(link.fullmatch, server.stdout)), None)
    patience.cancel()
    assert said, (project / "printed").read_text()
    address = said[1]
    try:
        graph = fetch(f"{address}/api/main")
        for node in graph["nodes"]:
            panel = fetch(f"{address}/api/nodes/{node['id']}")
            assert not panel.get("preview"), node["name"]
        assert (project / "printed").read_text() == ""
    finally:
        os.killpg(server.pid, signal.SIGTERM)  # the server is a child of the command
        server.wait()
    assert graph["layers"] == LAYERS


def fetch(address):
    """Return the JSON at an address on this machine."""
    with build_opener(ProxyHandler({})).open(address) as answer:
        return json.load(answer)
