import json
import signal
import subprocess
import sys

import pytest
from kedro.io import DataCatalog, MemoryDataset, Version
from kedro.pipeline import node
from kedro_datasets.json import JSONDataset

from mnist_kedro.saved import Saved, latest_version, remove_unfinished


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


def test_a_copy_is_of_the_runs_own_version(catalog, tmp_path):
    (tmp_path / "folder").mkdir()
    saved = Saved(catalog, {"metrics": "1", "note": None})
    for name in ("metrics", "note"):
        saved.copy(name, tmp_path / "folder")
    copied = [json.loads(path.read_text()) for path in (tmp_path / "folder").iterdir()]
    assert copied == [{"version": "1"}]


WRITER = """
import sys
from mnist_kedro.whole_files import WholeFile
with WholeFile(sys.argv[1]) as file:
    file.write(b"part"); file.flush(); print("ready", flush=True); sys.stdin.read()
"""


@pytest.fixture
def two_outputs(tmp_path):
    """A node with two outputs, both saved in version `1`, and their catalog."""
    paths = {name: str(tmp_path / f"{name}.json") for name in ("metrics", "predictions")}
    for name, path in paths.items():
        JSONDataset(filepath=path, version=Version(None, "1")).save(name)
    datasets = {
        name: JSONDataset(filepath=path, version=Version(None, "2")) for name, path in paths.items()
    }
    return node(lambda: ("", ""), None, ["metrics", "predictions"]), DataCatalog(datasets)


def test_of_a_node_that_had_not_saved_everything_nothing_stays(two_outputs, tmp_path):
    scoring, catalog = two_outputs
    catalog.save("metrics", "later")
    command = [sys.executable, "-c", WRITER, str(tmp_path / "predictions.json/2/predictions.json")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGKILL)
    assert latest_version(catalog, "metrics") == "2"
    remove_unfinished(catalog, [scoring], "2")
    catalog.release("metrics")
    left = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*"))
    assert left == [
        *("metrics.json", "metrics.json/1", "metrics.json/1/metrics.json", "predictions.json"),
        *("predictions.json/1", "predictions.json/1/predictions.json"),
    ]


def test_a_node_that_has_saved_everything_stays(two_outputs):
    scoring, catalog = two_outputs
    for name in scoring.outputs:
        catalog.save(name, "later")
    remove_unfinished(catalog, [scoring], "2")
    remove_unfinished(catalog, [scoring], "3")
    assert [catalog.load(name) for name in scoring.outputs] == ["later", "later"]
