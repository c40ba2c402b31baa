"""Files that are whole or absent, and versions that are pinned."""

import os
import signal
import subprocess
import sys

import matplotlib.figure
import pandas as pd
import plotly.graph_objects
import pytest
from kedro.io import DataCatalog, DatasetError, Version

from mnist_kedro import datasets
from mnist_kedro.datasets.files import WholeFileSystem, write_whole

DATA = {
    "CSVDataset": pd.DataFrame({"a": [1, 2]}),
    "JSONDataset": {"a": [1, 2]},
    "MatplotlibDataset": matplotlib.figure.Figure(),
    "PlotlyDataset": plotly.graph_objects.Figure(),
    "TextDataset": "text",
    "MarkdownDataset": "# text",
    "ModelDataset": {"weights": 1},
}


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize(("mode", "data"), [("wb", b"all"), ("w", "all")])
def test_a_file_gets_its_name_when_it_is_whole(tmp_path, mode, data):
    path = tmp_path / "new" / "file"
    with write_whole(path, mode) as file:
        file.write(data)
        file.flush()
        (name,) = files(tmp_path)
        assert name.startswith("new/.file.")
        assert name.endswith(".unfinished")
    assert files(tmp_path) == ["new/file"]
    assert path.read_text() == "all"


@pytest.mark.parametrize("mode", ["wb", "w"])
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_what_fails_leaves_the_old_file_and_nothing_else(tmp_path, mode, error):
    path = tmp_path / "file"
    path.write_text("old")

    def fail():
        with WholeFileSystem().open(str(path), mode) as file:
            file.write("new" if mode == "w" else b"new")
            raise error

    with pytest.raises(error):
        fail()
    assert files(tmp_path) == ["file"]
    assert path.read_text() == "old"


@pytest.mark.parametrize("mode", ["wb", "w"])
def test_what_is_saved_while_an_error_is_handled_is_whole(tmp_path, mode):
    try:
        _ = 1 / 0
    except ZeroDivisionError:
        with WholeFileSystem().open(str(tmp_path / "file"), mode) as file:
            file.write("all" if mode == "w" else b"all")
    assert (tmp_path / "file").read_text() == "all"


def test_text_keeps_its_encoding(tmp_path):
    with WholeFileSystem().open(str(tmp_path / "file"), "w", encoding="latin-1") as file:
        file.write("é")
    assert (tmp_path / "file").read_bytes() == b"\xe9"


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with write_whole(tmp_path / "link") as file:
        file.write(b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"new"


def test_a_killed_process_leaves_no_file_of_that_name(tmp_path):
    code = "import os, sys\nfrom mnist_kedro.datasets.files import write_whole\n"
    code += f"with write_whole({str(tmp_path / 'file')!r}) as file:\n"
    code += f"    file.write(b'half'); os.kill(os.getpid(), {signal.SIGKILL:d})"
    subprocess.run([sys.executable, "-c", code])
    (left,) = files(tmp_path)
    assert left.startswith(".file.")


@pytest.mark.parametrize("name", DATA)
def test_every_kind_of_file_is_written_whole(tmp_path, name, monkeypatch):
    written = []
    entry = {"type": f"mnist_kedro.datasets.{name}", "filepath": f"{tmp_path}/file"}
    catalog = DataCatalog.from_config({"file": entry | {"versioned": True}}, save_version="1")
    replace = os.replace
    monkeypatch.setattr("pathlib.Path.replace", lambda *a: (written.append(a), replace(*a)))
    catalog.save("file", DATA[name])
    assert [path.name for path, _ in written][-1].startswith(".file.")
    assert f"file/1/{'file'}" in files(tmp_path)


def test_what_cannot_be_saved_leaves_no_file(tmp_path):
    dataset = datasets.JSONDataset(filepath=f"{tmp_path}/file", version=Version(None, "1"))
    with pytest.raises(DatasetError):
        dataset.save({"a": object()})
    assert files(tmp_path) == []
    assert not dataset.exists()


def test_other_libraries_keep_their_file_system(tmp_path):
    import fsspec

    datasets.JSONDataset(filepath=f"{tmp_path}/file")
    assert type(fsspec.filesystem("file")) is not WholeFileSystem


def test_a_pinned_dataset_loads_and_saves_these_versions(tmp_path):
    for version in ("1", "2"):
        datasets.JSONDataset(filepath=f"{tmp_path}/file", version=Version(None, version)).save(
            {"version": version}
        )
    dataset = datasets.JSONDataset(filepath=f"{tmp_path}/file", version=Version(None, "3"))
    dataset.pin("1", "3")
    assert dataset.load() == {"version": "1"}
    assert dataset.place() == f"{tmp_path}/file/1/file"
    (tmp_path / "copies").mkdir()
    copy = dataset.copy_to(tmp_path / "copies")
    assert copy.read_text() == (tmp_path / "file/1/file").read_text()
    assert dataset.resolve_save_version() == "3"


def test_place_elsewhere_is_an_address():
    dataset = datasets.JSONDataset(filepath="memory://bucket/name", version=Version("1", "1"))
    dataset.save({"a": 1})
    assert dataset.place() == "memory:///name/1/name"
