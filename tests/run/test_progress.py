import logging
import os
import re
import signal
import subprocess
import sys

import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import node, pipeline

from mnist_kedro.run.progress import CompletedNodes, ProgressHooks

WIDTH = 80
TWO = "--namespaces=logistic_regression,mlp_64"
NODES = [
    f"{candidate}{{}}{function}"
    for function in ("train_candidate", "report_mistakes")
    for candidate in ("logistic_regression", "mlp_64")
]
runner_log = logging.getLogger("kedro.runner.some_runner")


@pytest.fixture
def info(caplog):
    """What is logged, in a run whose `kedro` loggers log as they do in this project."""
    with (
        caplog.at_level(logging.INFO, "kedro.runner"),
        caplog.at_level(logging.INFO, "mnist_kedro"),
    ):
        yield caplog


def test_completed_nodes_are_told_while_the_context_is_open(info):
    names = []
    with CompletedNodes(names.append):
        runner_log.info("Completed node: %s", "cnn.train_candidate")
        runner_log.info("Completed %d out of %d tasks", 1, 2)
    runner_log.info("Completed node: %s", "cnn.report_mistakes")
    assert names == ["cnn.train_candidate"]


def test_nothing_is_told_where_kedro_is_silenced(caplog):
    names = []
    with caplog.at_level(logging.WARNING, "kedro.runner"), CompletedNodes(names.append):
        runner_log.info("Completed node: %s", "split_images")
    assert names == []


def test_errors_of_the_callback_reach_the_run(info):
    def fail(name):
        raise RuntimeError(name)

    with CompletedNodes(fail), pytest.raises(RuntimeError, match="^split_images$"):
        runner_log.info("Completed node: %s", "split_images")


def run_hooks(only_missing_outputs=False):
    """Run the first of three nodes, of which the second was done by an earlier run."""
    hooks, one = ProgressHooks(), node(len, "images", "count", name="count_images")
    others = [node(len, "images", name, name=f"count_{name}") for name in ("digits", "ink")]
    provenance = {"run_id": "2", "versions": {"count": "2", "digits": "1", "ink": "2"}}
    run_params = {"only_missing_outputs": only_missing_outputs}
    catalog = DataCatalog({"provenance": MemoryDataset(provenance)})
    hooks.before_pipeline_run(run_params, pipeline([one, *others]), catalog)
    hooks.before_dataset_loaded(one)
    runner_log.info("Completed node: %s", "count_images")
    return hooks


def test_hooks_show_the_nodes_of_a_run_and_stop(info):
    run_hooks().after_pipeline_run()
    runner_log.info("Completed node: %s", "of another run")
    lines = [r.getMessage() for r in info.records if r.name.startswith("mnist_kedro")]
    assert lines == ["count_images done in 0.0 s (1 of 3)"]


def test_what_an_earlier_run_has_done_does_not_count(info):
    run_hooks(only_missing_outputs=True).on_pipeline_error()
    assert "count_images done in 0.0 s (1 of 2)" in info.messages


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform does not fork")
def test_workers_that_are_forked_show_nothing():
    program = """
import os
from kedro.io import DataCatalog
from kedro.pipeline import node, pipeline
from mnist_kedro.run.progress import ProgressHooks
hooks, nodes = ProgressHooks(), pipeline([node(len, "a", "b")])
hooks.before_pipeline_run({"only_missing_outputs": False}, nodes, DataCatalog())
if not (worker := os.fork()):
    os._exit(0 if hooks._progress is None else 1)
print(hooks._progress is None, os.waitpid(worker, 0)[1])
"""
    assert subprocess.check_output([sys.executable, "-c", program]) == b"False 0\n"


def test_the_console_loses_repetitions_only_and_gets_them_back(info, capsys):
    console = logging.StreamHandler(sys.stderr)
    logging.root.addHandler(console)
    try:
        hooks = run_hooks()
        runner_log.warning("There are 3 nodes that have not run.")
        runner_log.warning("Something new.")
        runner_log.warning("No nodes ran. Repeat the previous command to attempt a new run.")
        hooks.close()
        runner_log.info("Completed node: %s", "later")
    finally:
        logging.root.removeHandler(console)
    assert capsys.readouterr().err.splitlines() == [
        "count_images done in 0.0 s (1 of 3)",
        "Something new.",
        "Completed node: later",
    ]
    assert console.stream is sys.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("runner", "word"),
    [("SequentialRunner", "in"), ("ThreadRunner", "in"), ("ParallelRunner", "after")],
)
def test_a_pipe_gets_a_plain_line_per_node(used_project, run_kedro, runner, word):
    done = run_kedro(used_project, "run", TWO, f"--runner={runner}")
    assert done.returncode == 0, done.stderr
    line = rf"\d\d:\d\d:\d\d INFO    (.*) done {word} \d+\.\d s \((\d) of 4\)"
    found = [re.fullmatch(line, text).groups() for text in done.stderr.splitlines()]
    assert [count for _, count in found] == ["1", "2", "3", "4"]
    assert sorted(label for label, _ in found) == sorted(name.format(": ") for name in NODES)


def run_on_terminal(folder, *arguments, interrupt_at=None):
    """Run `kedro` on a pseudo-terminal; return the exit status, what it drew, and the last screen.

    It gets Ctrl-C as soon as it has drawn `interrupt_at`.
    """
    termios, pty = pytest.importorskip("termios"), pytest.importorskip("pty")
    ours, its = pty.openpty()
    termios.tcsetwinsize(its, (24, WIDTH))
    environment = os.environ | {"TERM": "xterm", "OMP_NUM_THREADS": "1"}
    environment.pop("COLUMNS", None)
    process = subprocess.Popen(
        [sys.executable, "-m", "kedro", *arguments],
        cwd=folder,
        env=environment,
        start_new_session=True,  # so that the signal reaches its workers, too, and nobody else
        **dict.fromkeys(("stdin", "stdout", "stderr"), its),
    )
    os.close(its)
    drawn = ""
    while piece := read(ours):
        drawn += piece
        if interrupt_at and re.search(interrupt_at, drawn):
            os.killpg(process.pid, signal.SIGINT)
            interrupt_at = None
    os.close(ours)
    return process.wait(60), drawn, screen(drawn)


def read(terminal):
    try:
        return os.read(terminal, 65536).decode(errors="replace")
    except OSError:  # how Linux says that nobody writes any more
        return ""


def screen(drawn):
    """Return the lines that a terminal shows after this was drawn on it."""
    lines, row, column = [""], 0, 0
    for piece in re.findall(r"\x1b\[[\d;]*[A-Za-z]|[^\x1b]", drawn):
        if piece == "\n":
            row += 1
            lines += [""] * (row == len(lines))
        elif piece == "\r":
            column = 0
        elif piece == "\x1b[A":
            row -= 1
        elif piece == "\x1b[J":
            lines[row:] = [""]
        elif not piece.endswith("m") or len(piece) == 1:  # all but colours
            text = lines[row].ljust(column)
            lines[row] = text[:column] + piece + text[column + 1 :]
            column += 1
    return [line.rstrip() for line in lines]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("runner", "word"),
    [("SequentialRunner", " "), ("ThreadRunner", " "), ("ParallelRunner", " after ")],
)
def test_a_terminal_gets_a_bar_then_a_line_per_node_and_the_summary(used_project, runner, word):
    status, drawn, lines = run_on_terminal(used_project, "run", TWO, f"--runner={runner}")
    assert status == 0, drawn
    assert re.search(r"\r2/4 \|█{10} {10}\| \d\d:\d\d  ", drawn)
    if word == " ":
        assert "mlp_64: train_candidate" in drawn
        assert re.search(r"\rmlp: +\d+%\|", drawn)
    end = lines.index("Candidates on embedded digits (not MNIST): validation accuracy")
    *shown, empty = lines[:end]
    assert empty == ""
    assert {".".join(line.split()[:2]) for line in shown} == {name.format(".") for name in NODES}
    assert all(len(line) == len(shown[0]) and word in line for line in shown)
    assert "Next      kedro run --pipelines=model_selection  compares all candidates" in lines


@pytest.mark.slow
def test_an_error_on_a_terminal_is_one_sentence_without_a_bar(used_project):
    (file,) = (used_project / "data/01_raw/train-labels-idx1-ubyte").glob("*/*")
    file.write_bytes(file.read_bytes()[:-1])
    status, drawn, lines = run_on_terminal(used_project, "run", "--pipelines=data_split")
    assert status == 1
    assert "\r0/2 |" in drawn
    assert lines[0].startswith("Error: train_labels: ")
    assert len(lines) <= 1 + drawn.count("\n")
    assert "|" not in "".join(lines)


@pytest.mark.slow
@pytest.mark.parametrize("runner", ["SequentialRunner", "ThreadRunner", "ParallelRunner"])
def test_ctrl_c_leaves_a_clean_terminal(used_project, runner):
    status, drawn, lines = run_on_terminal(
        used_project, "run", TWO, f"--runner={runner}", interrupt_at=r"[1-3]/4 \|"
    )
    assert status == 130, drawn
    *nodes, hint, stopped, last = lines
    line_of_a_node = r"\w+ +\w+_candidate +(after +)?\d+\.\d s"
    assert [line for line in nodes if not re.fullmatch(line_of_a_node, line)] == []
    assert hint.endswith("to go on, add --only-missing-outputs to the same command.")
    assert [stopped, last] == ["Stopped by Ctrl-C.", ""]
