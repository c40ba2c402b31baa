"""Versions: no two runs save under the same one."""

from concurrent.futures import ThreadPoolExecutor

from kedro.framework.project import settings
from kedro.framework.startup import bootstrap_project

from mnist_kedro.session import unique_version


def test_versions_taken_at_the_same_moment_differ(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        versions = list(pool.map(unique_version, [tmp_path] * 40))
    assert len(set(versions)) == 40


def test_later_versions_sort_behind_earlier_ones(tmp_path):
    versions = [unique_version(tmp_path) for _ in range(5)]
    assert versions == sorted(versions)


def test_a_run_saves_under_its_unique_version(project, monkeypatch):
    monkeypatch.setattr("mnist_kedro.session.unique_version", lambda folder: f"of {folder.name}")
    monkeypatch.chdir(project)
    bootstrap_project(project)
    parameters = {"data_ingestion": {"source": "embedded"}, "tracking": {"enabled": False}}
    with settings.SESSION_CLASS.create(project, runtime_params=parameters) as session:
        session.run("data_ingestion")
    (saved,) = (project / "data/08_reporting/dataset_profile.json").iterdir()
    assert saved.name == "of project"
