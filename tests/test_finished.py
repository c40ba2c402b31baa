"""What a run takes from earlier ones, and which versions it settles on."""

import pytest
from kedro.io import DataCatalog, MemoryDataset, Version
from kedro.pipeline import node, pipeline
from kedro_datasets.json import JSONDataset

from mnist_kedro import finished
from mnist_kedro.finished import RunPlan
from mnist_kedro.runs import LivingRun


def double(number):
    return 2 * number


def add(number, parameter):
    return number + parameter


NODES = pipeline(
    [
        node(double, "images", "doubled", name="double"),
        node(add, ["doubled", "params:add"], "sum", name="add"),
        node(double, "images", "again", name="again"),
    ]
)
PACKAGES = {"numpy": "1"}


@pytest.fixture
def run(tmp_path):
    """Function that runs the pipeline, or parts of it, as Kedro and the hooks do."""

    def run(version, *names, parameter=1, packages=PACKAGES, only_missing=True, until=None):
        datasets = {
            name: JSONDataset(filepath=str(tmp_path / name), version=Version(None, version))
            for name in ("images", "doubled", "sum", "again")
        }
        catalog = DataCatalog(datasets | {"params:add": MemoryDataset(parameter)})
        if not catalog.exists("images"):
            catalog.save("images", 1)
        chosen = NODES.only_nodes(*names) if names else NODES
        plan = RunPlan(tmp_path, version, chosen, catalog, packages, only_missing=only_missing)
        plan.pin(version)
        living = LivingRun(tmp_path, version)
        ran = []
        for each in chosen.nodes:
            if all(map(catalog.exists, each.outputs)):
                continue
            if each.name == until:
                break
            ran.append(each.name)
            inputs = {name: catalog.load(name) for name in each.inputs}
            for name, value in each.run(inputs).items():
                catalog.save(name, value)
            living.finish({name: plan.fingerprints[name] for name in each.outputs})
        living.end()
        return ran, plan.versions

    return run


EVERYTHING = {"double", "add", "again"}


def test_a_run_reads_and_writes_its_own_versions(run):
    ran, versions = run("1", only_missing=False)
    assert set(ran) == EVERYTHING
    assert versions == dict.fromkeys(("images", "doubled", "sum", "again"), "1")
    assert run("2", only_missing=False)[1] == {
        "images": "1",
        **dict.fromkeys(("doubled", "sum", "again"), "2"),
    }


def test_a_resumed_run_repeats_nothing_that_is_finished(run):
    assert "add" not in run("1", until="add")[0]
    ran, versions = run("2")
    assert "double" not in ran
    assert "add" in ran
    assert (versions["doubled"], versions["sum"]) == ("1", "2")
    assert run("3")[0] == []


def test_a_changed_parameter_repeats_what_depends_on_it(run):
    run("1")
    ran, versions = run("2", parameter=5)
    assert ran == ["add"]
    assert versions == {"images": "1", "doubled": "1", "sum": "2", "again": "1"}
    assert run("3")[1]["sum"] == "1"  # with the first parameter again


def test_other_packages_and_other_code_repeat_everything(run, monkeypatch):
    run("1")
    assert set(run("2", packages={"numpy": "2"})[0]) == EVERYTHING
    monkeypatch.setattr(finished, "_code", lambda: "changed")
    assert set(run("3")[0]) == EVERYTHING


def test_other_inputs_repeat_what_depends_on_them(run, tmp_path):
    run("1")
    images = JSONDataset(filepath=str(tmp_path / "images"), version=Version(None, "2"))
    images.save(7)
    ran, versions = run("3")
    assert set(ran) == EVERYTHING
    assert versions["images"] == "2"


def test_parts_and_wholes_are_finished_alike(run):
    run("1", "double")
    assert set(run("2")[0]) == {"add", "again"}
    assert run("3", "add")[0] == []


def test_what_was_deleted_is_not_finished(run, tmp_path):
    run("1")
    for path in (tmp_path / "sum").rglob("sum"):
        if path.is_file():
            path.unlink()
    assert run("2")[0] == ["add"]


def test_a_run_that_saves_meanwhile_is_not_mixed_in(tmp_path):
    """Between a save and the next load, another run saves a later version."""
    ours, theirs = (
        DataCatalog(
            {"images": JSONDataset(filepath=str(tmp_path / "images"), version=Version(None, v))}
        )
        for v in ("1", "2")
    )
    one = pipeline([node(double, "params:add", "images", name="first")])
    ours["params:add"] = theirs["params:add"] = MemoryDataset(1)
    RunPlan(tmp_path, "1", one, ours, PACKAGES, only_missing=False).pin("1")
    ours.save("images", "ours")
    theirs.save("images", "theirs")
    assert theirs.load("images") == "theirs"
    assert ours.load("images") == "ours"


def test_files_that_a_parameter_names_count_with_their_content(tmp_path):
    (tmp_path / "digits").mkdir()
    (tmp_path / "digits" / "3.png").write_bytes(b"3")
    parameter = MemoryDataset({"source": str(tmp_path / "digits")})
    catalog = DataCatalog({"params:data_ingestion": parameter, "images": MemoryDataset()})
    ingest = pipeline([node(len, "params:data_ingestion", "images", name="ingest")])

    def fingerprint():
        plan = RunPlan(tmp_path, "1", ingest, catalog, PACKAGES, only_missing=False)
        return plan.fingerprints["images"]

    before = fingerprint()
    assert fingerprint() == before
    (tmp_path / "digits" / "3.png").write_bytes(b"333")
    assert fingerprint() != before
    parameter.save({"source": "embedded"})
    assert fingerprint() != before
