"""What `make viz-build` writes, read as Kedro-Viz in the browser reads it."""

import base64
import json
import os
import shutil
import signal
import subprocess
import sys
from threading import Timer
from urllib.request import ProxyHandler, build_opener

import pandas as pd
import pytest

pytestmark = pytest.mark.slow

CANDIDATES = {"logistic_regression", "random_forest", "mlp_64", "mlp_128", "mlp_128_128", "cnn"}
STAGES = {"data_ingestion", "data_split", "model_selection", "final_training", "inference"}
LAYERS = ["raw", "model_input", "models", "model_output", "reporting"]


class Site:
    """A static site of Kedro-Viz."""

    def __init__(self, folder):
        self.api = folder / "build" / "api"
        self.graph = json.loads((self.api / "main").read_text())
        self.nodes = {node["id"]: node for node in self.graph["nodes"]}

    def node(self, name):
        (found,) = [node for node in self.nodes.values() if node["name"] == name]
        return found

    def preview(self, name):
        panel = json.loads((self.api / "nodes" / self.node(name)["id"]).read_text())
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
    for name in ("split_counts", "leaderboard"):
        kind, preview = site.preview(name)
        table = pd.read_csv(saved(f"08_reporting/{name}.csv"))
        assert kind == "TablePreview"
        assert preview["columns"] == list(table)
        assert [row[0] for row in preview["data"]] == list(table.iloc[:, 0])
    _, preview = site.preview("split_counts")
    assert [row[:2] for row in preview["data"]] == [["train", 1150], ["validation", 287]]


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
        ("misclassified", "misclassified.png"),
        ("cnn.confusion_matrix", "cnn/confusion_matrix.png"),
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


def test_styles_name_datasets_and_colour_them_by_layer(site, finished_project):
    styles = json.loads((finished_project[0] / ".viz/styles.json").read_text())
    graphs = [json.loads(path.read_text()) for path in (site.api / "pipelines").iterdir()]
    nodes = {node["name"]: node for graph in graphs for node in graph["nodes"]}
    colours = {}
    for name, style in styles.items():
        assert nodes[name]["node_extras"]["styles"] == style
        colours.setdefault(nodes[name]["layer"], []).append(style)
    assert list(colours) == LAYERS
    assert all(style == same[0] for same in colours.values() for style in same)


def test_the_last_saved_version_is_shown(used_project, run_kedro):
    arguments = ["--pipelines=data_split", "--params=data_split.sample_size=500"]
    assert run_kedro(used_project, "run", *arguments).returncode == 0
    assert run_kedro(used_project, "viz", "build", "--include-previews").returncode == 0
    _, preview = Site(used_project).preview("split_counts")
    assert [row[:2] for row in preview["data"]] == [["train", 400], ["validation", 100]]


def test_before_any_run_there_is_the_graph_and_no_noise(project):
    with (project / "printed").open("w") as printed:
        command = ["viz", "run", "--no-browser"]
        server = subprocess.Popen(
            [sys.executable, "-m", "kedro", *command],
            cwd=project,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=printed,
            text=True,
            start_new_session=True,
        )
    patience = Timer(120, os.killpg, (server.pid, signal.SIGKILL))
    patience.start()
    said = next((line for line in server.stdout if "http://" in line), "")
    patience.cancel()
    assert said, (project / "printed").read_text()
    address = said.strip().rstrip("/")
    try:
        graph = fetch(f"{address}/api/main")
        for node in graph["nodes"]:
            panel = fetch(f"{address}/api/nodes/{node['id']}")
            assert not panel.get("preview"), node["name"]
    finally:
        os.killpg(server.pid, signal.SIGTERM)  # the server is a child of the command
        server.wait()
    assert graph["layers"] == LAYERS
    assert (project / "printed").read_text() == ""


def fetch(address):
    """Return the JSON at an address on this machine."""
    with build_opener(ProxyHandler({})).open(address) as answer:
        return json.load(answer)
