"""What the README says is there, and what it tells people to type works."""

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.drawings import STROKES, draw, on_paper

ROOT = Path(__file__).parents[1]

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", README, flags=re.DOTALL)
COMMANDS = [line.split("#")[0].strip() for block in BLOCKS for line in block.splitlines()]
RUNS = [
    command.removeprefix("OMP_NUM_THREADS=1 ") for command in COMMANDS if "kedro run" in command
]
# All stages on the embedded digits run in `finished_project`, in parallel in test_reproducible.py.
FULL = (
    r"\S*kedro run( --params (data_ingestion.source=embedded|tracking.*)| --runner=ParallelRunner)?"
)
FETCHED = r".*(--env=fashion|extra_test=qmnist)"  # from mirrors that tests do not ask
RUNS_ON = [run for run in RUNS if not re.fullmatch(FULL, run) and not re.fullmatch(FETCHED, run)]


def test_the_two_commands_come_first():
    assert [command.split()[:2] for command in COMMANDS[:2]] == [["make", "run"], ["make", "test"]]


@pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")
def test_make_help_lists_every_target_that_the_readme_names():
    help_text = subprocess.run(
        ["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    listed = re.findall(r"^  make (\S+)", help_text, flags=re.MULTILINE)
    assert set(re.findall(r"`?make ([a-z-]+)", README)) - {"help", "and"} <= set(listed)
    assert {"install", "run", "test", "test-fast", "check", "viz", "ui", "bench"} <= set(listed)


def test_links_and_the_tree_name_files_that_exist():
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    tree = re.search(r"## Where things are\n\n```\n(.*?)```", README, flags=re.DOTALL).group(1)
    named = [name for line in tree.splitlines() for name in re.findall(r"^\s*(\S+)", line)]
    inside = {"src/mnist_kedro/", *(name for name in named if (ROOT / name).exists())}
    missing = [
        name
        for name in (*links, *named)
        if name not in inside
        and not (ROOT / name).exists()
        and not (ROOT / "src/mnist_kedro" / name.replace("<stage>/", "")).exists()
    ]
    assert missing == []


@pytest.mark.slow
@pytest.mark.parametrize("command", RUNS_ON)
def test_runs_that_the_readme_names_work(used_project, run_kedro, command):
    local = used_project / "conf" / "local" / "parameters.yml"
    local.write_text("data_ingestion: {source: embedded}\n")
    (used_project / "my_photos").mkdir()
    Image.fromarray(on_paper(draw(STROKES[5])).astype(np.uint8)).save(
        used_project / "my_photos" / "five.jpg"
    )
    done = run_kedro(used_project, *command.split()[1:])
    assert done.returncode == 0, done.stderr
