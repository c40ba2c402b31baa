import pytest
from mlflow import MlflowClient

from mnist_kedro.tracking.registry import PROJECT, RUN, mirror_promotion

OLD, NEW, UNTRACKED = "2026-01-01", "2026-01-02", "2026-01-03"


@pytest.fixture
def client(database, tmp_path):
    client = MlflowClient(database)
    client.create_registered_model(tmp_path.name)
    for run in (OLD, NEW):
        client.create_model_version(tmp_path.name, "file:///nowhere", tags={PROJECT: "a", RUN: run})
    return client


def decision(version, champion):
    alias = "champion" if version == champion else "challenger"
    return {"version": version, "alias": alias, "champion": {"version": champion}}


@pytest.mark.parametrize(
    ("decisions", "aliases"),
    [
        ([(NEW, NEW)], {"champion": 2}),
        ([(OLD, OLD), (NEW, OLD)], {"champion": 1, "challenger": 2}),
        ([(NEW, OLD), (NEW, NEW)], {"champion": 2}),  # the challenger was promoted
        ([(NEW, NEW), (OLD, OLD)], {"champion": 1}),  # and back
        ([(OLD, OLD), (UNTRACKED, UNTRACKED)], {}),
        ([(NEW, UNTRACKED)], {"challenger": 2}),
    ],
)
def test_aliases_are_those_of_the_last_decision(client, tmp_path, decisions, aliases):
    for each in decisions:
        mirror_promotion(client, tmp_path.name, "a", decision(*each))
    assert client.get_registered_model(tmp_path.name).aliases == aliases
    assert client.get_model_version_by_alias(tmp_path.name, "latest").version == 2


def test_a_model_that_was_never_registered_gets_none(database):
    client = MlflowClient(database)
    mirror_promotion(client, "nobody knows it", "a", decision(OLD, OLD))
    assert client.search_registered_models("name = 'nobody knows it'") == []


def test_another_project_with_the_same_versions_keeps_its_own(client, tmp_path):
    client.create_model_version(tmp_path.name, "file:///b", tags={PROJECT: "b", RUN: OLD})
    mirror_promotion(client, tmp_path.name, "b", decision(OLD, OLD))
    assert client.get_registered_model(tmp_path.name).aliases == {"champion": 3}
