"""What the README and the pages in docs/ name exists, and what they tell people to type works."""

import re
import runpy
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import yaml
from kedro.framework.startup import bootstrap_project
from PIL import Image

from mnist_kedro.pipeline_registry import candidate_names, register_pipelines
from tests.drawings import STROKES, draw, on_paper
from tests.kedro_process import load

ROOT = Path(__file__).parents[1]
CANDIDATES_FILE = "conf/base/parameters_model_training.yml"

PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for pattern in ("*.md", "docs/*.md", "conf/*.md", "data/*.md")
    for path in sorted(ROOT.glob(pattern))
    if path.name != "CHANGELOG.md"  # which names what has gone
}
README = PAGES["README.md"]
MODEL_BLOCK = re.search(r"```yaml\n(.*?)```", README, flags=re.DOTALL).group(1)
COMMANDS = [
    line.split("#")[0].strip()
    for text in PAGES.values()
    for block in re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL)
    for line in block.splitlines()
]
# `finished_project` is a default run, test_reproducible.py has one in parallel. The others fetch
# files, take minutes, or need a cluster.
ELSEWHERE = re.compile(
    r"kedro run( --params (data_ingestion\.source=embedded|tracking\.\S*))?"
    r"|.*(--runner=|--env=|extra_test=).*"
    r"|.*VERSION"  # test_end_to_end.py
)
FOUND = {found[0] for each in COMMANDS if (found := re.search(r"kedro (run|promote)\b.*", each))}
RUNS = sorted(command for command in FOUND if not ELSEWHERE.fullmatch(command))


@pytest.fixture
def in_project(project, monkeypatch):
    monkeypatch.chdir(project)
    bootstrap_project(project)
    return project


def options(name):
    """Return each page that names an option, and the value, unless that is a placeholder."""
    return [
        (page, value)
        for page, text in PAGES.items()
        for value in re.findall(rf"{name}[= ]([^\s`\"]+)", text)
        if value[0] not in "<{"
    ]


def test_the_two_commands_come_first():
    assert [command.split()[:2] for command in COMMANDS[:2]] == [["make", "run"], ["make", "test"]]


def test_the_readme_takes_five_minutes():
    assert len(README.splitlines()) <= 120


@pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")
def test_make_has_every_target_that_is_named():
    help_text = subprocess.run(
        ["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    listed = set(re.findall(r"^  make (\S+)", help_text, flags=re.MULTILINE))
    code = [found for text in PAGES.values() for found in re.findall(r"`make ([a-z-]+)", text)]
    code += [command.split()[1] for command in COMMANDS if command.startswith("make ")]
    assert set(code) - {"help"} <= listed
    assert {"run", "test", "test-fast", "check", "viz", "ui", "bench"} <= listed


def anchors(text):
    """Return the anchors of a page's headings, as GitHub names them."""
    headings = re.findall(r"^#+ (.*)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    links = re.findall(r'(?:\]\(|src=")([^)"\s]+)', PAGES[page])
    missing = []
    for link in links:
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = ROOT / page if not name else (ROOT / page).parent / name
        if not target.exists() or (anchor and anchor not in anchors(target.read_text("utf-8"))):
            missing.append(link)
    assert missing == []


def test_pictures_are_shown_somewhere():
    shown = set(re.findall(r"images/(\w+\.png)", "".join(PAGES.values())))
    assert shown == {path.name for path in (ROOT / "docs/images").iterdir()}


def test_the_tree_names_what_exists():
    tree = re.search(r"## Where things are\n\n```\n(.*?)```", README, flags=re.DOTALL).group(1)
    missing = []
    for line in tree.splitlines():
        folder = ROOT / "src/mnist_kedro" if line.startswith("  ") else ROOT
        names = line[:26].replace("<stage>/", "").split()
        missing += [name for name in names if not (folder / name).exists()]
    assert missing == []
    assert len(tree.splitlines()) > 10


def test_runs_name_pipelines_that_exist(in_project):
    known = register_pipelines()
    named = [(page, name) for page, names in options("--pipelines?") for name in names.split(",")]
    assert [each for each in named if each[1] not in known] == []
    assert len(named) > 10


def test_runs_name_candidates_and_stages_that_exist(in_project):
    known = {*candidate_names(), *register_pipelines(), *yaml.safe_load(MODEL_BLOCK)}
    named = options("--namespaces")
    assert [each for each in named if each[1] not in known] == []
    assert named


def test_runs_name_environments_that_exist():
    named = options("--env")
    assert [each for each in named if not (ROOT / "conf" / each[1]).is_dir()] == []
    assert named


def test_runs_name_parameters_that_exist():
    known = {}
    for path in (ROOT / "conf/base").glob("parameters_*.yml"):
        known |= yaml.safe_load(path.read_text(encoding="utf-8"))
    missing = []
    for page, given in options("--params"):
        for name in re.findall(r"(?:^|,)([\w.]+)=", given):
            values = known
            for key in name.split("."):
                if not isinstance(values, dict) or key not in values:
                    missing.append((page, name))
                    break
                values = values[key]
    assert missing == []
    assert len(options("--params")) > 10


def test_the_tasks_of_an_orchestrator_are_the_stages_and_candidates(in_project, tmp_path, capsys):
    (code,) = re.findall(r"```python\n(.*?)```", PAGES["docs/kedro.md"], flags=re.DOTALL)
    (tmp_path / "tasks.py").write_text(code)
    runpy.run_path(str(tmp_path / "tasks.py"))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 11
    assert "kedro run --namespaces=cnn after ['data_ingestion', 'data_split']" in lines


@pytest.mark.slow
def test_results_that_are_named_can_be_loaded(finished_project):
    found = [re.findall(r'catalog\.load\("([\w.]+)"\)', text) for text in PAGES.values()]
    named = sorted({name for names in found for name in names})
    assert len(load(finished_project[0], *named)) == len(named) > 4


@pytest.mark.slow
@pytest.mark.parametrize("command", RUNS)
def test_runs_work(used_project, run_kedro, command):
    local = used_project / "conf" / "local" / "parameters.yml"
    local.write_text("data_ingestion: {source: embedded}\n")
    (used_project / "my_photos").mkdir()
    Image.fromarray(on_paper(draw(STROKES[5])).astype(np.uint8)).save(
        used_project / "my_photos" / "five.jpg"
    )
    done = run_kedro(used_project, *command.split()[1:])
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_the_model_that_the_readme_adds_competes(used_project, run_kedro):
    file = used_project / CANDIDATES_FILE
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("candidates:\n", f"candidates:\n{MODEL_BLOCK}\n", 1))
    (name,) = yaml.safe_load(MODEL_BLOCK)
    for arguments in (f"--namespaces={name}", "--pipelines=model_selection"):
        done = run_kedro(used_project, "run", arguments)
        assert done.returncode == 0, done.stderr
    assert f"\n {name} " in done.stdout
