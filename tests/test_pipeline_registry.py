import subprocess
import sys

import pytest
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.io import MemoryDataset
from kedro.pipeline import Pipeline

from mnist_kedro.hooks import PROVENANCE
from mnist_kedro.pipeline_registry import candidate_names, register_pipelines

CANDIDATES = ["logistic_regression", "random_forest", "mlp_64", "mlp_128", "mlp_128_128", "cnn"]


@pytest.fixture
def in_project(project, monkeypatch):
    monkeypatch.chdir(project)
    bootstrap_project(project)
    return project


EXTRA = ["final", "test_all", "tuning", "__default__"]


def test_candidates_are_the_keys_of_the_yaml_file(in_project):
    assert candidate_names() == CANDIDATES


def test_candidates_are_found_from_a_folder_inside_the_project(in_project, monkeypatch):
    monkeypatch.chdir(in_project / "conf" / "base")
    assert candidate_names() == CANDIDATES


def test_without_the_file_the_error_names_it(in_project):
    file = in_project / "conf" / "base" / "parameters_model_training.yml"
    file.unlink()
    with pytest.raises(FileNotFoundError, match=str(file)):
        candidate_names()


def test_without_candidates_the_error_says_so(in_project):
    file = in_project / "conf" / "base" / "parameters_model_training.yml"
    file.write_text("model_training: {seed: 0}\n")
    with pytest.raises(ValueError, match="at least one entry under 'candidates'"):
        candidate_names()


def test_stages_stand_in_run_order_and_compose(in_project):
    pipelines = register_pipelines()
    stages = ["data_ingestion", "data_split", "model_training", "model_selection"]
    assert list(pipelines) == [*stages, "final_training", "inference", *EXTRA]
    final = pipelines["final_training"] + pipelines["inference"]
    assert set(pipelines["final"].nodes) == set(final.nodes)
    assert len(pipelines["__default__"].nodes) == 19 + 2 * len(CANDIDATES)


def test_what_scores_all_candidates_on_the_test_images_is_no_part_of_a_run(in_project):
    pipelines = register_pipelines()
    assert pipelines["test_all"].outputs() == {"test_leaderboard"}
    assert not set(pipelines["test_all"].nodes) & set(pipelines["__default__"].nodes)


def test_each_candidate_and_each_other_stage_is_a_namespace(in_project):
    pipelines = register_pipelines()
    assert {node.namespace for node in pipelines["model_training"].nodes} == set(CANDIDATES)
    for name in ("data_ingestion", "data_split", "model_selection", "final_training", "inference"):
        assert {node.namespace for node in pipelines[name].nodes} == {name}
    assert "final_training.fit_final_model" in {node.name for node in pipelines["final"].nodes}
    assert "final_model" in pipelines["final"].datasets()


@pytest.mark.parametrize("folds", [None, 3])
def test_nodes_have_the_names_of_their_functions(in_project, folds):
    for node in sum(register_pipelines(folds).values(), Pipeline([])).nodes:
        assert node.name.rpartition(".")[2] == node.func.__name__


@pytest.mark.parametrize("folds", [None, 3])
def test_every_dataset_is_saved(in_project, folds):
    """A factory that matches nothing would keep the data in memory, in silence."""
    with KedroSession.create(project_path=in_project) as session:
        catalog = session.load_context().catalog
        for name in sum(register_pipelines(folds).values(), Pipeline([])).datasets():
            if not name.startswith("params:") and name != PROVENANCE:
                assert name in catalog, name
                assert not isinstance(catalog[name], MemoryDataset), name
                assert catalog[name]._version is not None, name


@pytest.mark.parametrize("folds", [None, 3])
def test_the_test_set_is_read_by_the_last_two_stages_only(in_project, folds):
    pipelines = register_pipelines(folds)
    readers = {
        node.name
        for node in sum(pipelines.values(), Pipeline([])).nodes
        if {"test_images", "test_labels"} & set(node.inputs)
    }
    assert readers == {
        "final_training.score_final_model",
        "final_training.export_final_model",  # reads no labels
        "final_training.report_mistakes",
        "inference.predict_images",
        "inference.draw_contact_sheet",
        "test_all.test_candidates",  # which is no part of a run
    }
    assert "test_labels" not in pipelines["inference"].inputs()


def test_fits_of_all_candidates_and_folds_can_run_side_by_side(in_project):
    first, *_ = register_pipelines(folds=3)["model_training"].grouped_nodes
    fits = {f"{name}.train_candidate" for name in CANDIDATES}
    fits |= {f"{name}.fold_{n}.train_fold" for name in CANDIDATES for n in (1, 2, 3)}
    assert {node.name for node in first} == fits


def test_folds_are_what_their_tag_names(in_project):
    without, with_folds = register_pipelines(), register_pipelines(folds=3)
    added = set(with_folds["__default__"].nodes) - set(without["__default__"].nodes)
    tagged = with_folds["__default__"].only_nodes_with_tags("folds")
    assert not without["__default__"].only_nodes_with_tags("folds").nodes
    assert added <= set(tagged.nodes)
    assert {node.namespace for node in set(tagged.nodes) - added} <= {"model_selection"}
    assert {"model_selection.choose_champion", "data_split.split_folds"} <= {
        node.name for node in tagged.nodes
    }
    assert {name for name in tagged.inputs() if name.endswith("_images")} == {"train_images"}


def test_listing_pipelines_imports_nothing_heavy(in_project):
    script = (
        "import sys; sys.argv = ['kedro', 'registry', 'list']\n"
        "from kedro.framework.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'sklearn', 'scipy', 'matplotlib', 'mlflow', 'pandas.core.frame'}\n"
        "print('heavy:', sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "final_training" in done.stdout
    assert "heavy: []" in done.stdout
