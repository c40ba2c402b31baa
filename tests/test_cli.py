"""What people see of a command that does not go well, and how a run is stopped."""

import os
import signal
import time
from pathlib import Path

import click
import pytest
from kedro.framework.cli.project import run as kedro_run
from kedro.io import DataCatalog, DatasetError
from kedro.validation.exceptions import ParameterValidationError

from mnist_kedro import cli
from mnist_kedro.cli import one_sentence
from mnist_kedro.parameters import UserError


def raising(error, note=None):
    if note:
        error.add_note(note)
    with one_sentence():
        raise error


@pytest.mark.parametrize(
    ("error", "note", "sentence"),
    [
        (UserError("expected a, found b"), None, "expected a, found b"),
        (UserError("expected a, found b"), "in cnn.train", "expected a, found b (in cnn.train)"),
        (
            ParameterValidationError(
                "Parameter validation failed:\n- Parameter 'candidates.cnn': Failed to instantiate "
                "Candidate for parameter 'candidates.cnn': unknown estimator\n- Parameter 'b': bad"
            ),
            None,
            "Parameter 'candidates.cnn': unknown estimator; Parameter 'b': bad",
        ),
    ],
)
def test_a_mistake_of_the_user_ends_in_one_sentence(error, note, sentence, capsys):
    with pytest.raises(click.ClickException) as caught:
        raising(error, note)
    caught.value.show()
    assert capsys.readouterr().err == f"Error: {sentence}\n"


@pytest.mark.parametrize("error", [KeyError("a"), ValueError("a"), OSError("a"), DatasetError("a")])
def test_a_bug_shows_its_traceback(error):
    with pytest.raises(type(error)) as caught:
        raising(error)
    assert caught.value is error


def test_a_file_that_cannot_be_read_is_named_with_the_reason(tmp_path):
    entry = {"type": "mnist_kedro.datasets.IdxDataset", "filepath": f"{tmp_path}/images"}
    (tmp_path / "images").write_bytes(b"torn")
    with pytest.raises(click.ClickException) as caught, one_sentence():
        DataCatalog.from_config({"images": entry}).load("images")
    assert caught.value.message.startswith("images: Failed while loading data from dataset ")
    assert f"{tmp_path}/images: expected the IDX magic number" in caught.value.message
    assert "\n" not in caught.value.message


def test_run_is_kedros_with_all_its_options():
    assert cli.cli.commands["run"] is cli.run
    names = {option for parameter in cli.run.params for option in parameter.opts}
    assert {"--pipelines", "--pipeline", "--params", "--load-versions", "--runner"} <= names
    assert kedro_run.callback is not cli.run.callback


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--pipelines=finall"], "unknown pipeline 'finall': did you mean 'final'?"),
        (["--pipeline=finall"], "unknown pipeline 'finall': did you mean 'final'?"),
        (
            ["--pipelines=data_split", "--nodes=cnn.train_candidate"],
            "Pipeline does not contain nodes named ['cnn.train_candidate'].",
        ),
        (["--namespaces=mlp64"], "unknown namespace 'mlp64': did you mean 'mlp_64'?"),
        (
            ["--from-nodes=model_selection.rank_candidate"],
            "unknown node 'model_selection.rank_candidate': did you mean "
            "'model_selection.rank_candidates'?",
        ),
        (["--to-outputs=leaderbord"], "unknown dataset 'leaderbord': did you mean 'leaderboard'?"),
        (["--load-versions=split:1"], "unknown dataset 'split': did you mean 'splits'?"),
        (["--runner=ParalelRunner"], "unknown runner 'ParalelRunner': did you mean 'Parallel"),
        (
            ["--params=data_ingestion.source=embeded"],
            "Parameter 'data_ingestion': unknown source 'embeded': did you mean 'embedded'?",
        ),
        (
            ["--params=data_split.sample_sise=3"],
            "Parameter 'data_split': unknown parameter 'sample_sise': did you mean 'sample_size'?",
        ),
        (
            ["--params=candidates.cn.estimator=x"],
            "unknown parameter 'candidates.cn': did you mean 'candidates.cnn'?; new candidates go",
        ),
        (
            ["--pipelines=final"],
            "expected champion, dataset_profile, splits, test_images, test_labels, train_images, "
            "train_labels to be saved by an earlier run, found nothing: run `kedro run` first, or "
            "just the stage or candidate that saves it",
        ),
        (
            ["--pipelines=data_ingestion", "--params=data_ingestion.source=/nowhere"],
            "expected 'source' to be auto, mnist, embedded or a folder with",
        ),
    ],
)
def test_what_a_command_line_gets_wrong_is_one_sentence(project, run_kedro, options, sentence):
    done = run_kedro(project, "run", *options)
    assert done.returncode == 1
    *_, line = done.stderr.splitlines()
    assert line.startswith(f"Error: {sentence}")
    assert "Traceback" not in done.stderr


BROKEN = """
from sklearn.base import BaseEstimator, ClassifierMixin

class Broken(ClassifierMixin, BaseEstimator):
    _parameter_constraints = {"C": "no_validation", "max_iter": "no_validation"}

    def __init__(self, C=1, max_iter=1):
        self.C, self.max_iter = C, max_iter

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    def fit(self, images, labels):
        return images @ labels
"""


def test_a_bug_in_somebodys_code_shows_where_it_is(used_project, start):
    (used_project / "broken.py").write_text(BROKEN)
    process = start(
        *(used_project, "--namespaces=logistic_regression"),
        *("--params", "candidates.logistic_regression.estimator=broken.Broken"),
        PYTHONPATH=f"{used_project}{os.pathsep}{os.environ.get('PYTHONPATH', '')}",
    )
    _, printed = process.communicate()
    assert process.returncode == 1
    assert "Traceback (most recent call last)" in printed
    assert "return images @ labels" in printed
    assert "in logistic_regression.train_candidate" in printed


def test_from_a_folder_below_all_is_where_it_belongs(project, run_kedro):
    below = project / "conf" / "base"
    done = run_kedro(
        *(below, "run", "--pipelines=data_ingestion"),
        *("--params", "data_ingestion.source=embedded"),
    )
    assert done.returncode == 0
    assert not (below / "data").exists()
    assert (project / "data" / "01_raw" / "train-images-idx3-ubyte").is_dir()
    first = done.stderr.splitlines()[0]
    assert first[9:].startswith("INFO     1 of 2  data_ingestion.ingest_images, ")


def test_demo_without_a_champion_says_what_to_run_first(project, run_kedro):
    done = run_kedro(project, "demo", "--no-browser")
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("Error: expected promotion to be saved by an ear")
    assert line.endswith("run `kedro run` first")


@pytest.mark.parametrize(
    ("number", "runner"),
    [
        (signal.SIGINT, "SequentialRunner"),
        (signal.SIGTERM, "SequentialRunner"),
        (signal.SIGTERM, "ParallelRunner"),
    ],
)
def test_a_stopped_run_ends_soon_with_the_shells_code_and_no_worker(project, start, number, runner):
    process = start(
        project,
        *("--params", "data_ingestion.source=embedded,candidates.cnn.hyperparameters.epochs=500"),
        f"--runner={runner}",
    )
    for line in process.stderr:
        if "split_images" in line:
            break
    time.sleep(2)
    children = [int(pid) for pid in _children(process.pid)]
    assert children or runner == "SequentialRunner"
    process.send_signal(number)
    stopped = time.monotonic()
    process.communicate(timeout=30)
    assert process.returncode == 128 + number
    assert time.monotonic() - stopped < 10
    assert not any(_lives(pid) for pid in children)
    assert not list(project.glob("data/0[67]*/**/*.unfinished"))


def _children(pid):
    path = Path(f"/proc/{pid}/task/{pid}/children")
    if not path.exists():
        pytest.skip("there is no /proc")
    return path.read_text().split()


def _lives(pid):
    path = Path(f"/proc/{pid}/stat")
    return path.exists() and path.read_text().rpartition(")")[2].split()[0] != "Z"
