import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.io import MemoryDataset
from kedro.pipeline import Pipeline
from kedro_datasets.partitions import PartitionedDataset

import mnist_kedro
from mnist_kedro import pipeline_registry
from mnist_kedro.hooks import PROVENANCE
from mnist_kedro.parameters import UserError
from mnist_kedro.pipeline_registry import (
    CANDIDATES_FILE,
    CONF_SOURCE,
    candidate_names,
    register_pipelines,
)

CANDIDATES = ["logistic_regression", "random_forest", "mlp_64", "mlp_128", "mlp_128_128", "cnn"]
STAGES = ["data_ingestion", "data_split", "model_training", "model_selection"]
STAGES += ["final_training", "inference"]
EXTRA = ["cross_validation", "test_all", "tuning"]


@pytest.fixture(autouse=True)
def _no_run_before():
    token = CONF_SOURCE.set(None)
    yield
    CONF_SOURCE.reset(token)


@pytest.fixture
def conf(project):
    """A configuration of the test's own, that of the current run."""
    CONF_SOURCE.set(project / "conf")
    return project / "conf"


def write_candidates(conf, *names):
    block = {"estimator": "sklearn.naive_bayes.GaussianNB"}
    candidates = dict.fromkeys(names, block)
    settings = {"candidates": candidates, "model_training": {"seed": 0}}
    (conf / CANDIDATES_FILE).write_text(yaml.safe_dump(settings))


def namespaces(stage):
    return {node.namespace for node in stage.nodes}


def test_candidates_are_the_keys_of_the_yaml_file(conf):
    assert candidate_names() == CANDIDATES
    write_candidates(conf, "bayes_2", "a" * 64)
    assert set(candidate_names()) == {"bayes_2", "a" * 64}


def test_without_a_run_they_are_those_of_the_project_that_holds_the_code(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert candidate_names() == CANDIDATES


def test_installed_code_reads_the_project_in_which_one_works(project, tmp_path, monkeypatch):
    installed = tmp_path / "lib" / "site-packages" / "mnist_kedro" / "pipeline_registry.py"
    monkeypatch.setattr(pipeline_registry, "__file__", str(installed))
    write_candidates(project / "conf", "bayes")
    monkeypatch.chdir(project / "conf" / "base")
    assert candidate_names() == ["bayes"]


@pytest.mark.parametrize("given", [False, True])
def test_a_session_started_elsewhere_reads_its_own_candidates(
    project, tmp_path, monkeypatch, given
):
    conf = project / "conf"
    if given:
        conf = shutil.copytree(conf, tmp_path / "other_conf")
    write_candidates(conf, "bayes")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    bootstrap_project(project)
    options = {"conf_source": str(conf)} if given else {}
    with KedroSession.create(project_path=project, **options) as session:
        assert "params:candidates.bayes" in session.load_context().catalog
    assert namespaces(pipelines["model_training"]) == {"bayes"}


def test_without_the_file_the_error_names_it(conf):
    (conf / CANDIDATES_FILE).unlink()
    with pytest.raises(UserError, match=str(conf / CANDIDATES_FILE)):
        candidate_names()


@pytest.mark.parametrize("text", ["", "model_training: {seed: 0}", "candidates: [a]", "- a"])
def test_without_candidates_the_error_says_so(conf, text):
    (conf / CANDIDATES_FILE).write_text(text)
    with pytest.raises(UserError, match="at least one entry under 'candidates'"):
        candidate_names()


def test_a_file_that_is_no_yaml_is_named_with_the_line(conf):
    (conf / CANDIDATES_FILE).write_text("candidates:\n  a: {b\n")
    with pytest.raises(UserError, match=f"expected YAML in {conf / CANDIDATES_FILE}, .* line 3"):
        candidate_names()


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "/evil",
        "a.b",
        "a b",
        "a-b",
        "1a",
        "a\x1b[31m",
        "a\n",
        "é",
        "A",
        "",
        1,
        None,
        "a" * 65,
    ],
)
def test_names_that_make_no_namespace_are_refused(conf, name):
    write_candidates(conf, name)
    with pytest.raises(UserError, match="small letters, digits and '_', up to 64") as caught:
        candidate_names()
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("name", [*STAGES, *EXTRA, "final", "final_model"])
def test_names_of_other_parts_are_taken(conf, name):
    write_candidates(conf, name)
    with pytest.raises(UserError, match=f"names of their own, found {name},"):
        candidate_names()


def test_stages_stand_in_run_order_and_compose(conf):
    found = register_pipelines()
    assert list(found) == [*STAGES, *EXTRA, "final", "__default__"]
    final = found["final_training"] + found["inference"]
    assert set(found["final"].nodes) == set(final.nodes)
    default = sum((found[name] for name in STAGES), Pipeline([]))
    assert set(found["__default__"].nodes) == set(default.nodes)
    assert len(found["__default__"].nodes) == 18 + 2 * len(CANDIDATES)


def test_what_scores_all_candidates_on_the_test_images_is_no_part_of_a_run(conf):
    found = register_pipelines()
    assert found["test_all"].outputs() == {"test_leaderboard"}
    assert not set(found["test_all"].nodes) & set(found["__default__"].nodes)


def test_each_candidate_and_each_other_stage_is_a_namespace(conf):
    found = register_pipelines()
    assert namespaces(found["model_training"]) == set(CANDIDATES)
    assert namespaces(found["cross_validation"]) == {*CANDIDATES, "cross_validation"}
    for name in {*STAGES, *EXTRA} - {"model_training", "cross_validation"}:
        assert namespaces(found[name]) == {name}
    assert "final_training.train_final_model" in {node.name for node in found["final"].nodes}
    assert "final_model" in found["final"].datasets()


def test_nodes_have_the_names_of_their_functions(conf):
    for node in sum(register_pipelines().values(), Pipeline([])).nodes:
        assert node.name.rpartition(".")[2] == node.func.__name__


def test_every_dataset_is_saved(project):
    """A factory that matches nothing would keep the data in memory, in silence."""
    bootstrap_project(project)
    with KedroSession.create(project_path=project) as session:
        catalog = session.load_context().catalog
        for name in sum(register_pipelines().values(), Pipeline([])).datasets():
            if not name.startswith("params:") and name != PROVENANCE:
                assert name in catalog, name
                assert not isinstance(catalog[name], MemoryDataset), name
                versions = isinstance(catalog[name], PartitionedDataset)  # all, of another one
                assert versions or catalog[name]._version is not None, name


def test_the_test_set_is_read_by_the_last_two_stages_only(conf):
    found = register_pipelines()
    readers = {
        node.name
        for node in sum(found.values(), Pipeline([])).nodes
        if {"test_images", "test_labels"} & set(node.inputs)
    }
    assert readers == {
        "final_training.train_final_model",
        "final_training.export_final_model",  # reads no labels
        "final_training.report_mistakes",
        "inference.predict_images",
        "inference.draw_contact_sheet",
        "test_all.test_candidates",  # which is no part of a run
    }
    assert "test_labels" not in found["inference"].inputs()


@pytest.mark.parametrize(
    ("stage", "function"),
    [("model_training", "train_candidate"), ("cross_validation", "cross_validate_candidate")],
)
def test_all_candidates_can_run_side_by_side(conf, stage, function):
    first, *_ = register_pipelines()[stage].grouped_nodes
    assert {node.name for node in first} == {f"{name}.{function}" for name in CANDIDATES}


NODES = "def greet():\n    return 'hello'\n"
PIPELINE = """
from kedro.pipeline import Node, Pipeline
from .nodes import greet

def create_pipeline(**kwargs) -> Pipeline:
    return Pipeline([Node(greet, inputs=None, outputs="greeting", name="greet")])
"""
CATALOG = "greeting: {type: text.TextDataset, filepath: data/greeting.txt, versioned: true}\n"
REGISTERED = (
    "from kedro.framework.project import configure_project, pipelines\n"
    "configure_project('mnist_kedro')\n"
    "print('greet' in {node.name for node in pipelines['__default__'].nodes})\n"
)


def test_a_stage_that_kedro_has_created_runs_alone_and_with_the_others(
    project, run_kedro, monkeypatch
):
    code = project / "src" / "mnist_kedro"
    shutil.copytree(Path(mnist_kedro.__file__).parent, code)
    monkeypatch.setenv("PYTHONPATH", str(code.parent))
    created = run_kedro(project, "pipeline", "create", "greeting")
    assert created.returncode == 0, created.stderr
    (code / "pipelines" / "greeting" / "nodes.py").write_text(NODES)
    (code / "pipelines" / "greeting" / "pipeline.py").write_text(PIPELINE)
    (project / "conf" / "base" / "catalog_greeting.yml").write_text(CATALOG)

    done = run_kedro(project, "run", "--pipelines=greeting")
    assert done.returncode == 0, done.stderr
    (saved,) = (project / "data").glob("greeting.txt/*/greeting.txt")
    assert saved.read_text() == "hello"
    command = [sys.executable, "-c", REGISTERED]
    listed = subprocess.run(command, cwd=project, capture_output=True, text=True)
    assert listed.stdout == "True\n", listed.stderr


def test_listing_pipelines_imports_nothing_heavy(project, monkeypatch):
    monkeypatch.chdir(project)
    script = (
        "import sys; sys.argv = ['kedro', 'registry', 'list']\n"
        "from kedro.framework.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'sklearn', 'scipy', 'matplotlib', 'mlflow', 'numpy', 'pandas'}\n"
        "print('heavy:', sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "final_training" in done.stdout
    assert "heavy: []" in done.stdout
