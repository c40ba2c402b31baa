import json

import pytest
from kedro.io import DataCatalog, MemoryDataset, Version
from kedro_datasets.json import JSONDataset

from mnist_kedro.run.saved import Saved


@pytest.fixture
def catalog(tmp_path):
    """A catalog with `metrics` in the versions `1` and `2`, and `note`, which has none."""
    path = str(tmp_path / "metrics.json")
    for version in ("1", "2"):
        JSONDataset(filepath=path, version=Version(None, version)).save({"version": version})
    metrics = JSONDataset(filepath=path, version=Version(None, "3"))
    return DataCatalog({"metrics": metrics, "note": MemoryDataset("hello")})


@pytest.mark.parametrize(("versions", "expected"), [({"metrics": "1"}, "1"), ({}, "2")])
def test_a_runs_own_version_is_taken_or_else_the_latest(catalog, tmp_path, versions, expected):
    saved = Saved(catalog, versions)
    assert saved.load("metrics") == {"version": expected}
    assert saved.version("metrics") == expected
    assert saved.path("metrics") == tmp_path / "metrics.json" / expected / "metrics.json"


def test_what_is_no_versioned_file_has_no_path_and_is_not_copied(catalog, tmp_path):
    saved = Saved(catalog, {"note": None})
    assert saved.load("note") == "hello"
    assert saved.version("note") is None
    assert saved.path("note") is None


def test_a_place_is_told_from_here_or_as_an_address(catalog, tmp_path, monkeypatch):
    saved = Saved(catalog, {})
    assert saved.place("metrics") == str(tmp_path / "metrics.json/2/metrics.json")
    monkeypatch.chdir(tmp_path)
    assert saved.place("metrics") == "metrics.json/2/metrics.json"
    assert saved.place("note") is None
    there = JSONDataset(filepath="memory:///metrics.json", version=Version(None, "3"))
    there.save({"version": "3"})
    saved = Saved(DataCatalog({"metrics": there}), {"metrics": "3"})
    assert saved.place("metrics") == "memory:///metrics.json/3/metrics.json"


def test_a_copy_is_of_the_runs_own_version(catalog, tmp_path):
    (tmp_path / "folder").mkdir()
    saved = Saved(catalog, {"metrics": "1", "note": None})
    for name in ("metrics", "note"):
        saved.copy(name, tmp_path / "folder")
    copied = [json.loads(path.read_text()) for path in (tmp_path / "folder").iterdir()]
    assert copied == [{"version": "1"}]
