"""Versions that belong together, whatever runs beside."""

import subprocess
import sys
import textwrap

import pytest
from kedro.io import DataCatalog
from kedro.pipeline import node, pipeline

from mnist_kedro.run import versions
from mnist_kedro.run.versions import latest_version, pin_versions


def identity(*values):
    return values


# `make` has two outputs, `use` reads one of them.
MAKE = node(identity, "source", ["model", "scores"], name="make")
USE = node(identity, ["model", "scores"], "report", name="use")
BOTH = pipeline([MAKE, USE])


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setattr(versions, "pipelines", {"__default__": BOTH})


@pytest.fixture
def save(tmp_path):
    """Function that saves datasets under a version."""

    def save(version, *names):
        for name in names:
            catalog_of(tmp_path, version).save(name, f"{name} {version}")

    return save


def catalog_of(folder, run_id):
    entry = {"type": "mnist_kedro.datasets.JSONDataset", "versioned": True}
    names = ("source", "model", "scores", "report")
    config = {name: entry | {"filepath": f"{folder}/{name}.json"} for name in names}
    return DataCatalog.from_config(config, save_version=run_id)


def pin(tmp_path, pipe, run_id="9", asked=None, *, only_missing=False):
    catalog = catalog_of(tmp_path, run_id)
    return catalog, pin_versions(pipe, catalog, run_id, asked or {}, only_missing=only_missing)


def test_inputs_are_the_latest_and_outputs_the_runs_own(tmp_path, save):
    save("1", "source", "model", "scores")
    save("2", "source")
    _, found = pin(tmp_path, BOTH)
    assert found == {"source": "2", "model": "9", "scores": "9", "report": "9"}


def test_what_others_save_meanwhile_is_not_loaded(tmp_path, save):
    save("1", "source", "model", "scores")
    catalog, _ = pin(tmp_path, BOTH)
    save("99", "source", "model", "scores")
    catalog.save("model", "own")
    assert catalog.load("source") == "source 1"
    assert catalog.load("model") == "own"


def test_outputs_of_a_node_that_was_killed_are_not_mixed_with_older_ones(tmp_path, save):
    save("1", "source", "model", "scores")
    save("2", "model")  # and no scores
    catalog, found = pin(tmp_path, pipeline([USE]))
    assert found == {"model": "1", "scores": "1", "report": "9"}
    assert catalog.load("model") == "model 1"


def test_versions_that_the_user_names_go_before(tmp_path, save):
    save("1", "source", "model", "scores")
    save("2", "source", "model", "scores")
    _, found = pin(tmp_path, pipeline([USE]), asked={"model": "1"})
    assert (found["model"], found["scores"]) == ("1", "2")


@pytest.mark.parametrize(
    ("saved", "redone"),
    [
        ({"1": ["source", "model", "scores", "report"]}, set()),
        ({"1": ["source", "model", "scores"]}, {"report"}),
        ({"1": ["source", "model", "report"]}, {"model", "scores", "report"}),
        ({"1": ["source", "model", "scores", "report"], "2": ["source"]}, {"all"}),
        ({"1": ["source", "model", "scores", "report"], "2": ["model", "scores"]}, {"report"}),
    ],
)
def test_only_missing_outputs_redoes_what_is_missing_older_or_rests_on_that(
    tmp_path, save, saved, redone
):
    for version, names in saved.items():
        save(version, *names)
    catalog, found = pin(tmp_path, BOTH, only_missing=True)
    redone = {"model", "scores", "report"} if redone == {"all"} else redone
    assert {name for name in found if found[name] == "9"} == redone
    assert {name for name in ("model", "scores", "report") if not catalog.exists(name)} == redone


def test_without_a_complete_version_the_latest_is_pinned(tmp_path, save):
    save("1", "model")
    save("2", "scores")
    _, found = pin(tmp_path, pipeline([USE]))
    assert (found["model"], found["scores"]) == ("1", "2")


def test_what_passes_through_memory_is_as_old_as_its_input(tmp_path, save):
    through_memory = pipeline(
        [node(identity, "source", "memory"), node(identity, "memory", "model")]
    )
    save("1", "source", "model")
    assert pin(tmp_path, through_memory, only_missing=True)[1]["model"] == "1"
    save("2", "source")
    assert pin(tmp_path, through_memory, only_missing=True)[1]["model"] == "9"


def test_with_another_version_of_an_input_nothing_is_finished(tmp_path, save):
    save("1", "source", "model", "scores", "report")
    _, found = pin(tmp_path, BOTH, asked={"source": "1"}, only_missing=True)
    assert found == {"source": "1", "model": "9", "scores": "9", "report": "9"}


def test_a_validator_stays(tmp_path):
    validator = {"class": "tests.run.test_versions.Never", "on": ["save"]}
    config = {
        "out": {
            "type": "pandas.CSVDataset",
            "filepath": f"{tmp_path}/out.csv",
            "versioned": True,
            "validator": validator,
        }
    }
    catalog = DataCatalog.from_config(config, save_version="9")
    pin_versions(pipeline([node(len, "in", "out")]), catalog, "9", {}, only_missing=False)
    assert "out" in catalog.validators


def test_other_datasets_of_kedros_are_pinned_too(tmp_path):
    entry = {"type": "json.JSONDataset", "filepath": f"{tmp_path}/a.json", "versioned": True}
    for version in ("1", "2"):
        DataCatalog.from_config({"a": entry}, save_version=version).save("a", version)
    catalog = DataCatalog.from_config({"a": entry}, save_version="9")
    pin_versions(pipeline([node(len, "a", "n")]), catalog, "9", {"a": "1"}, only_missing=False)
    assert catalog.load("a") == "1"


def test_what_has_no_versions_has_none(tmp_path):
    catalog = DataCatalog.from_config(
        {"a": {"type": "json.JSONDataset", "filepath": f"{tmp_path}/a.json"}}
    )
    assert latest_version(catalog, ["a"]) is None
    found = pin_versions(pipeline([node(len, "a", "n")]), catalog, "9", {}, only_missing=False)
    assert found == {"a": None, "n": None}


SERVICE = """
    import sys, threading
    from pathlib import Path
    from kedro.framework.session.service_session import KedroServiceSession
    from kedro.framework.startup import bootstrap_project

    project = Path(sys.argv[1])
    bootstrap_project(project)
    failed = []

    def run(number):
        try:
            session = KedroServiceSession.create(project_path=project)
            session.run(
                run_id=f"run{number}",
                pipeline_names=["data_ingestion", "data_split"],
                runtime_params={"data_ingestion": {"source": "embedded"}},
            )
        except BaseException as error:
            failed.append(error)
            raise

    threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.exit(len(failed))
"""


def test_runs_in_one_process_keep_their_own(project):
    code = textwrap.dedent(SERVICE)
    done = subprocess.run(
        [sys.executable, "-c", code, project], cwd=project, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    for number in range(4):
        for name in ("01_raw/train-images-idx3-ubyte", "05_model_input/splits.csv"):
            version = project / "data" / name / f"run{number}"
            assert len(list(version.iterdir())) == 1
    assert list((project / ".runs").iterdir()) == []
