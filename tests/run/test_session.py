"""Versions: no two runs save under the same one. Folds: as many nodes as parameters ask for."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from kedro.framework.project import pipelines, settings
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

from mnist_kedro.run.session import unique_version


def test_versions_taken_at_the_same_moment_differ(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        versions = list(pool.map(unique_version, [tmp_path] * 40))
    assert len(set(versions)) == 40


def test_later_versions_sort_behind_earlier_ones(tmp_path):
    versions = [unique_version(tmp_path) for _ in range(5)]
    assert versions == sorted(versions)


def test_a_run_saves_under_its_unique_version(project, monkeypatch):
    monkeypatch.setattr(
        "mnist_kedro.run.session.unique_version", lambda folder: f"of {folder.name}"
    )
    monkeypatch.chdir(project)
    bootstrap_project(project)
    parameters = {"data_ingestion": {"source": "embedded"}, "tracking": {"enabled": False}}
    with settings.SESSION_CLASS.create(project, runtime_params=parameters) as session:
        session.run("data_ingestion")
    (saved,) = (project / "data/08_reporting/dataset_profile.json").iterdir()
    assert saved.name == "of project"


def test_folds_are_registered_for_the_session_that_asks_for_them(project, monkeypatch):
    monkeypatch.chdir(project)
    bootstrap_project(project)
    counts = []
    for folds in (2, None, 3):
        given = {"data_split": {"folds": folds}}
        with KedroSession.create(project, runtime_params=given) as session:
            session.load_context()
        names = [node.name for node in pipelines["__default__"].nodes]
        counts.append(sum(name.endswith("train_fold") for name in names))
    assert counts == [2 * 6, 0, 3 * 6]
    assert "data_split.split_folds" in {node.name for node in pipelines["data_split"].nodes}


def test_impossible_folds_are_refused_in_one_sentence(project, monkeypatch):
    monkeypatch.chdir(project)
    bootstrap_project(project)
    with (
        KedroSession.create(project, runtime_params={"data_split": {"folds": 1}}) as session,
        pytest.raises(ValueError, match="'folds' should be greater than or equal to 2, found 1"),
    ):
        session.load_context()
