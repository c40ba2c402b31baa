import click
import pytest
from kedro.io import DatasetError
from kedro.validation.exceptions import ParameterValidationError

from mnist_kedro.cli import RunError, cli, one_sentence, run
from mnist_kedro.run.configuration import check_runner


def raising(error):
    def command():
        raise error

    return one_sentence(command)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (ValueError("expected a, found b"), "expected a, found b"),
        (FileNotFoundError("expected c"), "expected c"),
        (FloatingPointError("expected a number"), "expected a number"),
        (
            ModuleNotFoundError("No module named 'distributed'"),
            "No module named 'distributed': pip install \"mnist_kedro[cluster]\" has what Dask, S3 "
            "and PostgreSQL need",
        ),
        (
            ParameterValidationError(
                "Parameter validation failed:\n- Parameter 'candidates.cnn': Failed to instantiate "
                "Candidate for parameter 'candidates.cnn': unknown estimator\n- Parameter 'b': bad"
            ),
            "Parameter 'candidates.cnn': unknown estimator; Parameter 'b': bad",
        ),
    ],
)
def test_foreseeable_errors_end_in_one_sentence(error, sentence, capsys):
    with pytest.raises(click.ClickException) as caught:
        raising(error)()
    assert caught.value.message == sentence
    caught.value.show()
    assert capsys.readouterr().err == f"Error: {sentence}\n"


def test_of_a_dataset_that_cannot_be_loaded_name_and_cause_are_told():
    error = DatasetError("images: Failed while loading IdxDataset(...).\nexpected 28, found 27")
    with pytest.raises(RunError, match="^images: expected 28, found 27$"):
        raising(error)()


def test_bugs_keep_their_traceback():
    with pytest.raises(KeyError):
        raising(KeyError("a bug"))()


def test_run_is_kedros_with_all_its_options():
    assert cli.commands["run"] is run
    names = {option for parameter in run.params for option in parameter.opts}
    assert {"--pipelines", "--pipeline", "--params", "--load-versions", "--runner"} <= names


@pytest.mark.parametrize(
    ("runner", "options", "sentence"),
    [
        ("DaskRunner", {}, "expected --runner to be .*mnist_kedro.runners.DaskRunner, found 'Dask"),
        ("nowhere.Runner", {}, "expected --runner to be .*, found 'nowhere.Runner'"),
        (
            "mnist_kedro.runners.DaskRunner",
            {"max_worker": 2},
            "unknown option of mnist_kedro.runners.DaskRunner 'max_worker': did you mean 'max_work",
        ),
        ("SequentialRunner", {"max_workers": 2}, "unknown option of SequentialRunner"),
    ],
)
def test_runners_that_are_not_there_are_refused(runner, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        check_runner(runner, options)


def test_runners_that_are_there_pass():
    for runner in ("ParallelRunner", "mnist_kedro.runners.DaskRunner"):
        check_runner(runner, {"max_workers": 2})


def test_demo_without_a_champion_says_what_to_run_first(project, run_kedro):
    done = run_kedro(project, "demo", "--no-browser")
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("Error: expected final_onnx and final_manifest to be saved by an ear")
    assert line.endswith("run `kedro run` first")
