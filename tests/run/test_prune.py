"""Which runs are old, and that they go whole."""

import json
import os
from pathlib import Path

import pytest
from fsspec.implementations.memory import MemoryFileSystem
from kedro.io import DataCatalog, Version

from mnist_kedro.datasets.files import WholeFileSystem
from mnist_kedro.run.prune import count_bytes, find_old_runs

FILES = {
    "{candidate}.model": ("ModelDataset", "06_models/{candidate}/model.pkl"),
    "final_model": ("ModelDataset", "06_models/final_model/model.pkl"),  # of the pattern, too
    "final_manifest": ("JSONDataset", "06_models/final_model/manifest.json"),
    "promotion": ("JSONDataset", "06_models/promotion.json"),
    "splits": ("TextDataset", "05_model_input/splits.csv"),
}


def make_catalog(folder, *left_out):
    entries = {
        name: {"type": f"mnist_kedro.datasets.{kind}", "filepath": f"{folder}/{file}"}
        for name, (kind, file) in FILES.items()
        if name not in left_out
    }
    for entry in entries.values():
        entry["versioned"] = True
    entries["notes"] = {"type": "mnist_kedro.datasets.TextDataset", "filepath": f"{folder}/notes"}
    return DataCatalog.from_config(entries)


@pytest.fixture
def catalog(tmp_path):
    return make_catalog(tmp_path)


def save(catalog, version, *names, **contents):
    for name in (*names, *contents):
        catalog.get(name, version=Version(None, version)).save(contents.get(name, "content"))


def promote(catalog, version, data, champion):
    """Save the decision of this version: the champion of these data is of that one."""
    decision = {"data": data, "version": version, "champion": {"version": champion}}
    save(catalog, version, promotion=decision)


def manifest(**versions):
    return {"provenance": {"versions": versions | {"parameters": None}}}


def old(catalog, keep):
    return [run.version for run in find_old_runs(catalog, keep)]


def remove_old_runs(catalog):
    for run in find_old_runs(catalog, 1):
        run.remove()


def files(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_run_stays_whole_as_long_as_any_dataset_has_it_among_its_latest(catalog, tmp_path):
    catalog.save("notes", "without versions")
    for version in ("1", "2", "3", "4"):
        save(catalog, version, "splits", "cnn.model", "final_model")
    save(catalog, "2", "gone.model")  # of a candidate that there once was
    for version in ("5", "6"):
        save(catalog, version, "cnn.model")
    assert old(catalog, 5) == []
    assert old(catalog, 2) == ["1"]
    assert old(catalog, 1) == ["1", "3", "5"]
    before = files(tmp_path)
    remove_old_runs(catalog)
    gone = {name for name in before if Path(name).parent.name in {"1", "3", "5"}}
    assert {f"06_models/cnn/model.pkl/3/{file}" for file in ("model.pkl", "model.pkl.json")} < gone
    assert files(tmp_path) == before - gone
    assert not (tmp_path / "05_model_input/splits.csv/1").exists()
    assert old(catalog, 1) == []


def test_champions_stay_with_what_they_rest_on_and_the_decisions_on_them(catalog):
    for version in ("1", "2", "3", "4", "5", "6"):
        rests_on = manifest(splits="1" if version == "2" else version)
        save(catalog, version, "splits", final_manifest=rests_on)
    promote(catalog, "2", "MNIST", "2")
    promote(catalog, "3", "shapes", "3")
    promote(catalog, "4", "shapes", "3")  # a challenger
    promote(catalog, "5", "shapes", "5")
    promote(catalog, "6", "shapes", "5")
    assert old(catalog, 1) == ["3", "4"]


@pytest.mark.parametrize("left_out", ["promotion", "final_manifest"])
def test_without_decisions_or_manifests_the_latest_stay(tmp_path, left_out):
    catalog = make_catalog(tmp_path, left_out)
    for version in ("1", "2", "3"):
        save(catalog, version, "splits")
    assert old(catalog, 1) == ["1", "2"]


def test_a_champion_of_which_nothing_is_left_is_no_mistake(catalog):
    promote(catalog, "2", "MNIST", "1")
    assert old(catalog, 1) == []


@pytest.mark.parametrize("moment", range(8))
def test_what_a_killed_call_left_goes_with_the_next_one(catalog, tmp_path, monkeypatch, moment):
    for version in ("1", "2", "3"):
        save(catalog, version, "splits", "cnn.model", "final_model")
    kept = {name for name in files(tmp_path) if Path(name).parent.name == "3"}
    calls = iter(range(moment))
    remove_file = WholeFileSystem.rm_file

    def kill(self, path):
        if next(calls, None) is None:
            raise KeyboardInterrupt
        remove_file(self, path)

    monkeypatch.setattr(WholeFileSystem, "rm_file", kill)
    with pytest.raises(KeyboardInterrupt):
        remove_old_runs(catalog)
    monkeypatch.undo()
    assert catalog.get("cnn.model", version=Version("3", None)).load() == "content"
    remove_old_runs(catalog)
    assert files(tmp_path) == kept


def test_a_file_with_hard_links_counts_when_its_last_one_goes(catalog, tmp_path):
    for version, text in (("1", "a" * 100), ("2", "a" * 100), ("3", "b" * 10), ("4", "")):
        save(catalog, version, splits=text)
    first, second = (tmp_path / f"05_model_input/splits.csv/{n}/splits.csv" for n in "12")
    second.unlink()
    os.link(first, second)
    assert count_bytes(find_old_runs(catalog, 1)) == {"1": 0, "2": 100, "3": 10}
    assert count_bytes(find_old_runs(catalog, 3)) == {"1": 0}


def test_an_object_store_is_no_other(monkeypatch):
    monkeypatch.setattr(MemoryFileSystem, "store", {})
    catalog = make_catalog("memory://bucket")
    for version in ("1", "2"):
        save(catalog, version, "splits", "cnn.model")
    runs = find_old_runs(catalog, 1)
    assert [run.version for run in runs] == ["1"]
    size = len("content") + sum(
        len(content.getvalue())
        for name, content in MemoryFileSystem.store.items()
        if "cnn/model.pkl/1/" in name
    )
    assert count_bytes(runs) == {"1": size}
    for run in runs:
        run.remove()
    left = [name for name in MemoryFileSystem.store if "/1/" in name]
    assert left == []
    assert old(catalog, 1) == []
    (saved,) = (name for name in MemoryFileSystem.store if name.endswith(".json"))
    assert json.loads(MemoryFileSystem.store[saved].getvalue())["made_with"]
