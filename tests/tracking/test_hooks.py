"""Whether the status of runs is true, and what a run does where MLflow cannot be reached."""

import signal
import sqlite3

import pytest
from kedro.framework.project import settings
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

from .conftest import ON, TRACKED, TWO, runs_in, store, wait_until

pytestmark = pytest.mark.slow

ENDLESS = "candidates.mlp_64.hyperparameters.epochs=100000"


def trains_the_second(database):
    """Whether the first candidate is logged; MLflow's client would join in making the tables."""
    if not database.exists():
        return False
    try:
        with sqlite3.connect(database) as connection:
            query = "SELECT * FROM runs WHERE status = 'FINISHED'"
            return bool(connection.execute(query).fetchall())
    except sqlite3.OperationalError:  # the tables are being made
        return False


@pytest.mark.parametrize("runner", ["ThreadRunner", "ParallelRunner"])
def test_other_runners_log_the_same(used_project, run_kedro, runner):
    done = run_kedro(used_project, "run", f"--runner={runner}", *TWO, ON)
    assert done.returncode == 0, done.stderr
    client, runs = runs_in(store(used_project))
    assert set(runs) == {"parent", "logistic_regression", "mlp_64"}
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    assert runs["parent"].data.tags["kedro_runner"] == runner
    for name in ("logistic_regression", "mlp_64"):
        files = {file.path for file in client.list_artifacts(runs[name].info.run_id)}
        assert {"confusion_matrix.png", "class_report.csv", "misread_digits.png"} <= files
        assert runs[name].data.metrics["validation_accuracy"] > 0.9
        assert len(runs[name].outputs.model_outputs) == 1


def test_a_search_goes_on_where_it_was_and_every_trial_is_logged(used_project, run_kedro):
    tuning = "tuning.trials={},tuning.epochs=2"
    first = run_kedro(used_project, "run", "--pipelines=tuning", "--params", tuning.format(1))
    assert first.returncode == 0, first.stderr
    assert "Best      of 1 networks, 0 of them pruned" in first.stdout
    second = ("run", "--pipelines=tuning", "--params", f"{tuning.format(3)},{ON}")
    done = run_kedro(used_project, *second)
    assert "Going on with the 1 trials of an earlier run." in done.stderr
    client, runs = runs_in(store(used_project))
    assert set(runs) == {"parent", "trial_0", "trial_1", "trial_2"}
    for name in set(runs) - {"parent"}:
        data = runs[name].data
        assert data.tags["trial_state"] == "complete"
        assert {"candidate", "learning_rate"} <= set(data.params)
        assert 0 < data.metrics["validation_accuracy"] <= 1
    files = {file.path for file in client.list_artifacts(runs["parent"].info.run_id)}
    assert {"tuning_trials.csv", "tuning_chart.json"} <= files


def test_after_an_exception_the_run_failed_and_finished_candidates_are_logged(
    used_project, run_kedro
):
    broken = "candidates.mlp_64.hyperparameters.learning_rate=1e30"
    done = run_kedro(used_project, "run", *TWO, f"{ON},{broken}")
    assert done.returncode == 1
    _, runs = runs_in(store(used_project))
    assert runs["parent"].info.status == "FAILED"
    why = runs["parent"].data.tags["mlflow.note.content"]
    assert why.startswith("Failed: expected a finite loss")
    assert why.endswith("(in mlp_64.train_candidate)")
    assert "mlp_64" not in runs
    finished = runs["logistic_regression"]
    assert finished.info.status == "FINISHED"
    assert finished.data.metrics["validation_accuracy"] > 0.9


@pytest.mark.parametrize(
    ("number", "runner"),
    [
        (signal.SIGINT, "SequentialRunner"),
        (signal.SIGTERM, "SequentialRunner"),
        (signal.SIGTERM, "ThreadRunner"),
        (signal.SIGTERM, "ParallelRunner"),
    ],
)
def test_after_a_signal_the_run_was_killed(used_project, start, number, runner):
    process = start(used_project, f"--runner={runner}", *TWO, f"{ON},{ENDLESS}")
    wait_until(lambda: trains_the_second(used_project / "mlflow.db"))
    process.send_signal(number)
    _, errors = process.communicate(timeout=5)
    name = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}[number]
    assert process.returncode == 128 + number
    assert errors.endswith(f"Stopped by {name}.\n")
    assert "Traceback" not in errors
    _, runs = runs_in(store(used_project))
    assert runs["parent"].info.status == "KILLED", errors


def test_after_ctrl_c_while_a_candidate_is_logged_it_was_killed_too(used_project, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("mnist_kedro.tracking.run.log_model", interrupt)
    monkeypatch.chdir(used_project)
    bootstrap_project(used_project)
    on = {"tracking": {"enabled": True}}
    with (
        pytest.raises(KeyboardInterrupt),
        KedroSession.create(runtime_params=on) as session,
    ):
        session.run(namespaces=["logistic_regression"])
    settings.HOOKS[-1]._end("KILLED")  # as at exit
    settings.HOOKS[0]._end()  # which gives the temporary folder back
    _, runs = runs_in(store(used_project))
    assert {name: run.info.status for name, run in runs.items()} == dict.fromkeys(
        ("parent", "logistic_regression"), "KILLED"
    )


def test_two_runs_that_start_at_once_on_a_fresh_clone_both_succeed(project, start):
    arguments = ("--pipelines=data_ingestion", "--params", TRACKED)
    both = [start(project, *arguments) for _ in range(2)]
    for process in both:
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
    client, _ = runs_in(store(project))
    runs = client.search_runs([client.get_experiment_by_name("mnist_kedro").experiment_id])
    assert [run.info.status for run in runs] == ["FINISHED", "FINISHED"]


def test_a_server_that_is_not_there_ends_the_run_before_anything_is_saved(
    project, run_kedro, free_port
):
    uri = f"http://127.0.0.1:{free_port}"
    done = run_kedro(project, "run", "--params", f"{TRACKED},tracking.uri={uri}")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(
        f"Error: expected MLflow's server or database at {uri}"
    )
    assert "Traceback" not in done.stderr
    assert not list((project / "data").rglob("*.json"))


def test_one_parameter_switches_tracking_off_and_mlflow_is_not_imported(project, start, tmp_path):
    (tmp_path / "mlflow.py").write_text("raise SystemExit('mlflow was imported')")
    arguments = ("--pipelines=data_ingestion", "--params")
    off = "data_ingestion.source=embedded,tracking.enabled=false"
    process = start(project, *arguments, off, PYTHONPATH=str(tmp_path))
    _, errors = process.communicate(timeout=180)
    assert process.returncode == 0, errors
    assert not list(project.glob("ml*"))
    on = start(project, *arguments, TRACKED, PYTHONPATH=str(tmp_path))
    assert "mlflow was imported" in on.communicate(timeout=180)[1]  # so the trap works
