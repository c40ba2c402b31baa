"""The notebooks run on whatever the latest run saved, and are committed with clean outputs."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
CANDIDATES = ["logistic_regression", "random_forest", "mlp_64", "mlp_128", "mlp_128_128", "cnn"]


def read(path):
    """Read a notebook; its cells that hold code."""
    notebook = nbformat.read(path, as_version=4)
    return notebook, [cell for cell in notebook.cells if cell.cell_type == "code"]


def form(path):
    """Return all of a notebook that does not follow from the data."""
    notebook, cells = read(path)
    outputs = [
        (cell.id, cell.execution_count, cell.metadata, o.output_type, sorted(o.get("data", {})))
        for cell in cells
        for o in cell.outputs
    ]
    return notebook.metadata, outputs


def texts(cells):
    """Return all that the cells printed or showed as text."""
    outputs = [output for cell in cells for output in cell.outputs]
    return "\n".join(output.get("text") or output["data"]["text/plain"] for output in outputs)


def pictures(cells):
    return [o for cell in cells for o in cell.outputs if "image/png" in o.get("data", {})]


def test_there_are_two_notebooks():
    names = [path.name for path in NOTEBOOKS]
    assert names == ["01_look_at_the_data.ipynb", "02_compare_candidates.ipynb"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_is_committed_is_clean(path):
    notebook, cells = read(path)
    assert path.stat().st_size < 150_000
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert [cell.id for cell in cells if not cell.outputs] == ["setup", "imports"]
    assert {key for cell in notebook.cells for key in cell.metadata} == set()
    assert notebook.metadata["language_info"] == {"name": "python"}
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    kinds = {(o.output_type, o.get("name", "")) for cell in cells for o in cell.outputs}
    assert kinds <= {("stream", "stdout"), ("display_data", ""), ("execute_result", "")}
    formats = {key for cell in cells for o in cell.outputs for key in o.get("data", {})}
    assert formats == {"text/plain", "image/png"}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_is_committed_names_no_machine(path):
    _, cells = read(path)
    text = texts(cells)
    assert "MNIST" in text
    assert re.findall(r"(?<![\w<])/\w+/|[A-Z]:\\|\bat 0x|\x1b|[Ww]arning", text) == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_each_part_ends_with_a_question(path):
    notebook, _ = read(path)
    parts = sum(cell.source.startswith("## ") for cell in notebook.cells)
    turns = [cell for cell in notebook.cells if cell.source.startswith("**Your turn.**")]
    assert len(turns) == parts
    assert all("?" in cell.source or "Find" in cell.source for cell in turns)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_cells_are_short(path):
    _, cells = read(path)
    assert {cell.id: n for cell in cells if (n := len(cell.source.splitlines())) > 15} == {}


@pytest.mark.slow
def test_they_run_on_other_data_and_are_saved_clean(finished_project, used_project):
    """`make notebooks`, after a run on the embedded digits."""
    shutil.copy(finished_project[0] / "mlflow.db", used_project)
    shutil.copytree(ROOT / "notebooks", used_project / "notebooks")
    done = subprocess.run(
        [sys.executable, "-m", "notebooks"],
        cwd=used_project,
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    for committed in NOTEBOOKS:
        assert form(used_project / "notebooks" / committed.name) == form(committed)
    (_, data), (_, comparison) = map(read, sorted((used_project / "notebooks").glob("*.ipynb")))
    assert "This is embedded digits (not MNIST)" in texts(data)
    assert "1437 x 28 x 28 pixels = 1,126,624 bytes" in texts(data)
    assert "equal: True" in texts(data)
    assert len(pictures(data)) == 4
    (board,) = (texts([cell]) for cell in comparison if cell.id == "leaderboard")
    assert all(f"\n{name} " in board for name in CANDIDATES)
    (champion,) = (used_project / "data/08_reporting/champion.json").glob("*/champion.json")
    assert json.loads(champion.read_text())["reason"] in texts(comparison)
    run_id = champion.parent.name
    sources = texts([cell for cell in comparison if cell.id in ("node", "dataset", "mlflow-runs")])
    assert "function: mnist_kedro.pipelines.model_selection.nodes.rank_candidates" in sources
    assert f"data/08_reporting/leaderboard.csv/{run_id}/leaderboard.csv" in sources
    assert f"tags.kedro_run_id = '{run_id}'" in sources
    assert all(f" {name} " in sources for name in CANDIDATES)
    assert "of 360 test images" in texts(comparison)
    assert len(pictures(comparison)) == 5


@pytest.mark.slow
def test_they_find_the_project_from_any_folder_in_it(used_project):
    (_, first), (notebook, cells) = map(read, NOTEBOOKS)
    notebook.cells = [cells[0], nbformat.v4.new_code_cell('catalog.load("champion")["candidate"]')]
    resources = {"metadata": {"path": str(used_project / "conf" / "base")}}
    done = NotebookClient(notebook, resources=resources).execute()
    assert first[0].source == cells[0].source
    assert done.cells[0].outputs == []
    assert texts(done.cells[1:]).strip("'") in CANDIDATES
