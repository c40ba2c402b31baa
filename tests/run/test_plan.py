"""What a run takes from earlier ones, and which versions it settles on: by hooks and a runner."""

import gzip
import json
import logging

import pytest
from kedro.io import DataCatalog, MemoryDataset, Version
from kedro.pipeline import node, pipeline
from kedro.runner import SequentialRunner
from kedro_datasets.json import JSONDataset
from kedro_datasets.text import TextDataset

from mnist_kedro import hooks
from mnist_kedro.hooks import ProjectHooks
from mnist_kedro.run import plan, runs

ran = []


def double(number):
    ran.append("double")
    return 2 * number


def add(number, parameter):
    ran.append("add")
    return number + parameter


NODES = pipeline(
    [
        node(double, "images", "doubled", name="double"),
        node(add, ["doubled", "params:add"], "sum", name="add"),
        node(double, "images", "again", name="again"),
    ]
)
SAVED = ("images", "doubled", "sum", "again")


@pytest.fixture(autouse=True)
def forget():
    ran.clear()


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Function that runs a pipeline as version 1, 2, …; returns what ran, and the versions."""
    logging.getLogger("kedro.runner").setLevel("INFO")
    monkeypatch.setattr(hooks, "version", lambda name: packages.get(name, "1"))
    packages, count = {}, iter(range(1, 10))

    def run(pipe=NODES, only_missing=True, fails=False, changed=(), load=None, **datasets):
        version = str(next(count))
        packages.update(changed)
        catalog = DataCatalog(
            {
                name: JSONDataset(
                    filepath=str(tmp_path / name), version=Version((load or {}).get(name), version)
                )
                for name in SAVED
            }
            | {"params:add": MemoryDataset(1)}
            | datasets
        )
        if not catalog.exists("images"):
            catalog.save("images", 1)
        params = {"run_id": version, "project_path": str(tmp_path)}
        params |= {"only_missing_outputs": only_missing, "env": None}
        project_hooks = ProjectHooks()
        ran.clear()
        project_hooks.before_pipeline_run(params, pipe, catalog)
        try:
            SequentialRunner().run(pipe, catalog, only_missing_outputs=only_missing)
            project_hooks.after_pipeline_run(params, pipe, catalog)
        except ZeroDivisionError:
            assert fails
            project_hooks.on_pipeline_error()
        return list(ran), catalog["provenance"].load()["versions"]

    return run


def test_a_run_reads_and_writes_its_own_versions(run):
    nodes, versions = run(only_missing=False)
    assert sorted(nodes) == ["add", "double", "double"]
    assert versions == dict.fromkeys(SAVED, "1")
    assert run(only_missing=False)[1] == {
        "images": "1",
        **dict.fromkeys(("doubled", "sum", "again"), "2"),
    }


def fail(number, parameter):
    return number / 0


def test_a_run_that_goes_on_repeats_nothing_that_is_finished(run):
    broken = pipeline(
        [
            node(double, "images", "doubled", name="double"),
            node(fail, ["doubled", "params:add"], "sum", name="add"),
        ]
    )
    assert run(broken, fails=True)[0] == ["double"]
    nodes, versions = run()
    assert sorted(nodes) == ["add", "double"]
    assert versions == {"images": "1", "doubled": "1", "sum": "2", "again": "2"}
    nodes, versions = run()
    assert nodes == []
    assert versions == {"images": "1", "doubled": "1", "sum": "2", "again": "2"}


def test_a_changed_parameter_repeats_what_depends_on_it(run):
    run()
    nodes, versions = run(**{"params:add": MemoryDataset(5)})
    assert nodes == ["add"]
    assert versions == {"images": "1", "doubled": "1", "sum": "2", "again": "1"}
    nodes, versions = run()  # with the first parameter again
    assert nodes == []
    assert versions["sum"] == "1"


def test_another_package_repeats_everything(run):
    run()
    assert sorted(run(changed={"numpy": "2"})[0]) == ["add", "double", "double"]


def test_other_code_repeats_everything(run, monkeypatch):
    run()
    monkeypatch.setattr(plan, "package_code", lambda: "changed")
    assert sorted(run()[0]) == ["add", "double", "double"]


def test_another_way_to_save_repeats_what_is_saved_so(run, tmp_path):
    run()
    other = {"filepath": str(tmp_path / "sum"), "save_args": {"indent": 4}}
    assert run(sum=JSONDataset(version=Version(None, "2"), **other))[0] == ["add"]


def test_a_project_that_was_moved_repeats_nothing(run, tmp_path):
    run()
    moved = tmp_path / "moved"
    moved.mkdir()
    for name in SAVED:
        (tmp_path / name).rename(moved / name)
    there = {
        name: JSONDataset(filepath=str(moved / name), version=Version(None, "2")) for name in SAVED
    }
    assert run(**there)[0] == []


def test_other_inputs_repeat_what_depends_on_them(run, tmp_path):
    run()
    JSONDataset(filepath=str(tmp_path / "images"), version=Version(None, "1b")).save(7)
    nodes, versions = run()
    assert sorted(nodes) == ["add", "double", "double"]
    assert versions["images"] == "1b"


def test_the_same_input_in_another_version_repeats_nothing(run, tmp_path):
    run()
    JSONDataset(filepath=str(tmp_path / "images"), version=Version(None, "1b")).save(1)
    assert run()[0] == []


def test_parts_and_wholes_are_finished_alike(run):
    run(NODES.only_nodes("double"))
    assert sorted(run()[0]) == ["add", "double"]
    assert run(NODES.only_nodes("add"))[0] == []


def test_what_was_deleted_is_not_finished(run, tmp_path):
    run()
    (tmp_path / "sum" / "1" / "sum").unlink()
    assert run()[0] == ["add"]


@pytest.mark.filterwarnings("ignore:Save version '2' did not match")  # Kedro's, rightly
def test_a_version_that_was_asked_for_is_loaded(run, tmp_path):
    run(only_missing=False)
    (tmp_path / "doubled" / "1" / "doubled").write_text("100")
    _, versions = run(only_missing=False, load={"doubled": "1"})
    assert versions["doubled"] == "1"
    assert (tmp_path / "sum" / "2" / "sum").read_text() == "101"


def test_where_the_log_is_silenced_a_whole_run_is_recorded_at_its_end(run, tmp_path):
    logging.getLogger("kedro.runner").setLevel("ERROR")
    run()
    assert run()[0] == []


def test_unversioned_datasets_are_read_and_written(run, tmp_path, caplog):
    plain = {"filepath": str(tmp_path / "plain.json")}
    JSONDataset(**plain).save(4)
    pipe = pipeline([node(double, "plain", "out", name="double")])
    out = {"filepath": str(tmp_path / "out.json")}
    assert run(pipe, False, plain=JSONDataset(**plain), out=JSONDataset(**out))[0] == ["double"]
    assert (tmp_path / "out.json").read_text() == "8"
    run(pipe, plain=JSONDataset(**plain), out=JSONDataset(**out))
    assert "Of what is not versioned (out), Kedro takes as finished whatever exists." in caplog.text


def test_a_changed_unversioned_input_is_seen(run, tmp_path):
    plain = JSONDataset(filepath=str(tmp_path / "plain.json"))
    pipe = pipeline([node(double, "plain", "doubled", name="double")])
    plain.save(4)
    assert run(pipe, plain=plain)[0] == ["double"]
    assert run(pipe, plain=plain)[0] == []
    plain.save(5)
    assert run(pipe, plain=plain)[0] == ["double"]


def test_what_stays_in_memory_is_made_again_where_it_is_needed(run):
    pipe = pipeline(
        [
            node(double, "images", "in_memory", name="double"),
            node(add, ["in_memory", "params:add"], "sum", name="add"),
        ]
    )
    assert run(pipe)[0] == ["double", "add"]
    assert run(pipe)[0] == ["double", "add"]  # nobody knows whether it is the same


def test_a_file_in_two_guises_is_one(run, tmp_path):
    def guises(version):
        one = {"filepath": str(tmp_path / "both"), "version": Version(None, version)}
        return {"both@text": TextDataset(**one), "both@json": JSONDataset(**one)}

    def write(number):
        return str(number)

    pipe = pipeline(
        [
            node(write, "images", "both@text", name="write"),
            node(double, "both@json", "doubled", name="double"),
        ]
    )
    nodes, versions = run(pipe, **guises("1"))
    assert nodes == ["double"]
    assert versions == {"images": "1", "both@text": "1", "both@json": "1", "doubled": "1"}
    assert run(pipe, **guises("2"))[0] == []


def test_a_run_that_saves_meanwhile_is_not_mixed_in(run, tmp_path):
    """Between a save and the next load, another run saves a later version."""

    def intrude(number):
        JSONDataset(filepath=str(tmp_path / "doubled"), version=Version(None, "9")).save(1000)
        return number

    pipe = pipeline(
        [
            node(double, "images", "doubled", name="double"),
            node(intrude, "images", "again", name="a_intrude"),
            node(add, ["doubled", "params:add"], "sum", name="z_add"),
        ]
    )
    run(pipe, only_missing=False)
    assert (tmp_path / "doubled" / "9" / "doubled").read_text() == "1000"
    assert (tmp_path / "sum" / "1" / "sum").read_text() == "3"


def test_files_that_a_parameter_names_count(run, tmp_path):
    (tmp_path / "digits").mkdir()
    (tmp_path / "digits" / "3.png").write_bytes(b"3")

    def read(parameter):
        return parameter

    pipe = pipeline([node(read, "params:inference", "sum", name="read")])

    def repeated(**parameter):
        run(pipe, **{"params:inference": MemoryDataset(parameter)})
        return sorted(path.name for path in (tmp_path / "sum").iterdir())

    folder = str(tmp_path / "digits")
    assert repeated(images=folder) == ["1"]
    assert repeated(images=folder) == ["1"]
    (tmp_path / "digits" / "3.png").write_bytes(b"333")
    assert repeated(images=folder) == ["1", "3"]
    assert repeated(images=None) == ["1", "3", "4"]


def test_a_record_names_the_files_that_each_node_saves(run, tmp_path):
    run(NODES.only_nodes("double", "again"))
    record = runs._read(tmp_path / ".runs" / "1.json")
    assert sorted(record["nodes"]) == [
        [str(tmp_path / name / "1" / name)] for name in ("again", "doubled")
    ]


def test_compressed_files_are_saved(tmp_path):
    compressed = {"open_args_save": {"compression": "gzip"}}
    dataset = JSONDataset(filepath=str(tmp_path / "file.gz"), fs_args=compressed)
    dataset.save({"a": 1})
    assert json.loads(gzip.decompress((tmp_path / "file.gz").read_bytes())) == {"a": 1}
