"""What MLflow holds of a run, and with which status, whatever happens to the run."""

import json
import multiprocessing
import os
import platform
import re
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import mlflow
import numpy as np
import pytest
from kedro.io import MemoryDataset
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from mnist_kedro.pipelines.data_ingestion.nodes import EMBEDDED_NAME
from mnist_kedro.tracking import TrackingHooks
from tests.kedro_process import KedroProcess

from .conftest import (
    ALL,
    FINISHED,
    IMAGES,
    SAVED,
    Run,
    outputs_of,
    runs_in,
    statuses,
    store,
    wait_until,
)


def test_a_model_is_logged_as_soon_as_it_is_saved_and_the_rest_at_the_end(
    begin, database, tmp_path, capsys
):
    run = begin()
    assert statuses(database, tmp_path.name) == {"parent": "RUNNING"}
    run.save("train")
    assert statuses(database, tmp_path.name) == {"parent": "RUNNING", "tiny": "FINISHED"}
    run.save(*ALL[1:])
    run.finish()
    assert statuses(database, tmp_path.name) == FINISHED
    assert capsys.readouterr().out == "MLflow    make ui  compares runs\n"

    client, runs = runs_in(database, tmp_path.name)
    tiny, final, parent = (runs[name] for name in ("tiny", "final_model", "parent"))
    assert parent.info.run_name == "digits · tiny 75.00 %"
    assert parent.data.tags["mlflow.note.content"] == (
        "The only one. The final model reads 50.00 % (40.00 to 60.00) of 4 test images.\n\n"
        "| candidate | accuracy | 95 % interval | fit | per image | model |\n"
        "| --- | --- | --- | --- | --- | --- |\n"
        "| tiny | 75.00 % | 50.00 to 90.00 | 1.50 s | 0.250 ms | 1.00 MB |"
    )
    own = {"kedro_project": f"{platform.node()}:{tmp_path / 'project'}"}
    own["kedro_run_id"] = "2026-01-02T03.04.05.678Z"
    own |= {"data": "digits", "pipeline": "__default__", "runner": "ThreadRunner"}
    own |= {"commit": "abc", "git_dirty": "None"}
    for run in runs.values():
        assert {k: v for k, v in run.data.tags.items() if not k.startswith("mlflow.")} == own
        (data,) = run.inputs.dataset_inputs
        assert (data.dataset.name, data.dataset.digest) == ("digits", ("ab" * 32)[:36])
    for child in (tiny, final):  # its times are those of the fit
        began = datetime.fromtimestamp(child.info.start_time / 1000, UTC)
        assert began.isoformat() == "2026-01-02T03:04:05+00:00"
        assert child.info.end_time - child.info.start_time == 1500
    note = tiny.data.tags["mlflow.note.content"]
    assert note == "75.00 % (50.00 to 90.00) of the validation images, with `{strategy: prior}`"
    files = {file.path for file in client.list_artifacts(parent.info.run_id)}
    assert files == {"environment.json", "provenance.json"}
    path = client.download_artifacts(parent.info.run_id, "environment.json")
    assert json.loads(Path(path).read_text()) == {"python": "3.11", "packages": {"numpy": "2"}}
    assert parent.data.params["many.119"] == "119"  # more than MLflow takes at once
    assert parent.data.params["mirrors"] == "['https://***@host/mnist/']"
    assert parent.data.params["tuning.trials"] == "3"
    assert not parent.data.params.keys() & {"tracking.uri", "tuning.storage"}
    assert parent.data.metrics["test_accuracy"] == 0.5
    assert tiny.data.params["random_state"] == "7"
    assert tiny.data.params["transformers"] == "['flatten']"
    points = client.get_metric_history(tiny.info.run_id, "validation_accuracy")
    assert [point.step for point in sorted(points, key=lambda p: p.step)] == list(range(1, 401))
    assert tiny.data.metrics["validation_accuracy"] == 0.75
    assert [f.path for f in client.list_artifacts(tiny.info.run_id)] == ["report.csv"]
    assert [f.path for f in client.list_artifacts(final.info.run_id)] == ["model_card.md"]
    (output,) = final.outputs.model_outputs
    model = client.get_logged_model(output.model_id)
    assert {"test_accuracy", "validation_accuracy"} <= {metric.key for metric in model.metrics}
    registered = client.get_model_version_by_alias("m", "champion")
    assert (registered.run_id, registered.tags["data"]) == (final.info.run_id, "digits")
    loaded = mlflow.sklearn.load_model(registered.source)
    assert np.array_equal(loaded.predict(IMAGES), SAVED["final_model"].predict(IMAGES))


def test_what_an_earlier_run_saved_is_not_logged_again(begin, database, tmp_path):
    run = begin()
    run.save(*ALL)
    run.finish()
    again = Run(TrackingHooks(), tmp_path / "project", "later", uri=database, experiment="again")
    again.catalog["provenance"].load()["versions"]["tiny.metrics"] = "2026"
    for name in ALL:
        for output in outputs_of(name):
            again.catalog.save(output, SAVED[output])
    again.start().finish()
    assert set(runs_in(database, "again")[1]) == {"parent", "final_model"}


def test_of_candidates_only_the_model_is_left_out(begin, database, tmp_path):
    run = begin(models="final")
    run.save(*ALL)
    run.finish()
    client, runs = runs_in(database, tmp_path.name)
    models = client.search_logged_models([runs["parent"].info.experiment_id])
    assert [model.source_run_id for model in models] == [runs["final_model"].info.run_id]
    tiny = runs["tiny"]
    assert tiny.data.params["random_state"] == "7"
    assert len(client.get_metric_history(tiny.info.run_id, "train_loss")) == 400
    assert tiny.data.metrics["validation_accuracy"] == 0.75
    assert [f.path for f in client.list_artifacts(tiny.info.run_id)] == ["report.csv"]


class Ingesting(Run):
    """A run that ingests its data: what they are is not known when it starts."""

    def start(self):
        self.profile = self.catalog["dataset_profile"].load()
        self.catalog["dataset_profile"] = MemoryDataset()
        self.catalog["provenance"].load()["versions"]["dataset_profile"] = self.params["run_id"]
        return super().start()

    def ingest(self, name):
        self.catalog.save("dataset_profile", self.profile | {"name": name})
        self.save()


@pytest.fixture
def ingesting(tmp_path, database):
    names = {"experiment": f"{tmp_path.name} {{data}}", "registered_model": "{data}"}
    run = Ingesting(TrackingHooks(), tmp_path / "project", uri=database, **names).start()
    yield run
    run.hooks.on_pipeline_error(ValueError(), run.params)


def test_each_data_set_has_an_experiment_and_a_model_and_a_run_starts_when_its_data_are_known(
    ingesting, database, tmp_path
):
    run, before = ingesting, time.time()
    time.sleep(0.01)
    client = MlflowClient(database)
    assert not [e for e in client.search_experiments() if e.name.startswith(tmp_path.name)]
    run.ingest("own/digits: a")
    experiment = f"{tmp_path.name} own/digits: a"
    assert statuses(database, experiment) == {"parent": "RUNNING"}
    run.save(*ALL)
    run.finish()
    assert statuses(database, experiment) == FINISHED
    parent = runs_in(database, experiment)[1]["parent"]
    assert parent.info.start_time < 1000 * before + 10
    assert client.get_model_version_by_alias("own_digits_ a", "champion")


@pytest.mark.parametrize("status", ["FAILED", "KILLED"])
def test_a_run_that_ends_before_its_data_are_known_is_tracked_under_the_configured_name(
    ingesting, database, tmp_path, status
):
    if status == "FAILED":
        ingesting.fail(ValueError("no mirror"))
    else:
        ingesting.hooks._end_all()
    experiment = f"{tmp_path.name} digits"
    assert statuses(database, experiment) == {"parent": status}
    assert runs_in(database, experiment)[1]["parent"].info.run_name == "digits"


def test_every_trial_of_a_search_is_logged(begin, database, tmp_path):
    run = begin()
    run.save("search")
    run.finish()
    _, runs = runs_in(database, tmp_path.name)
    assert {name: run.data.params for name, run in runs.items() if name != "parent"} == {
        "trial_0": {"candidate": "64", "learning_rate": "0.01"},
        "trial_1": {"candidate": "128-64", "learning_rate": "0.1"},
    }
    assert runs["trial_0"].data.metrics == {"validation_accuracy": 0.9, "n_parameters": 50.0}
    assert runs["trial_1"].data.metrics == {"validation_accuracy": 0.8}
    assert runs["trial_1"].data.tags["trial_state"] == "pruned"


def test_a_local_database_is_shown_by_make_ui(tmp_path, database, capsys):
    os.link(database.removeprefix("sqlite:///"), tmp_path / "mlflow.db")
    Run(TrackingHooks(), tmp_path, experiment="local").start().finish()
    assert capsys.readouterr().out == "MLflow    make ui  compares runs\n"


def test_a_run_that_is_not_tracked_leaves_nothing_says_nothing_and_imports_no_mlflow(tmp_path):
    code = """
        import sys
        from types import SimpleNamespace
        from mnist_kedro.tracking import TrackingHooks

        tracking = dict(enabled=False, models="all", uri=None, experiment="e", registered_model="m")
        catalog = SimpleNamespace(load={"params:tracking": tracking}.get)
        params = {"run_id": "1", "project_path": "."}
        hooks = TrackingHooks()
        hooks.before_pipeline_run(params, None, catalog)
        hooks.before_node_run("1")
        list(hooks.after_pipeline_run(params))
        hooks.on_pipeline_error(ValueError(), params)
        assert "mlflow" not in sys.modules
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == []


def test_after_an_exception_the_run_failed_and_finished_candidates_are_logged(
    begin, database, tmp_path
):
    run = begin()
    for name in outputs_of("train"):
        run.catalog.save(name, SAVED[name])
    run.fail(ValueError("no http://me:secret@host/"))
    assert statuses(database, tmp_path.name) == {"parent": "FAILED", "tiny": "FINISHED"}
    tags = runs_in(database, tmp_path.name)[1]["parent"].data.tags
    failed, empty, *table = tags["mlflow.note.content"].splitlines()
    assert (failed, empty) == ("Failed: no http://***@host/", "")
    assert table[2].startswith("| tiny | 75.00 % |")


def raising(error):
    """Return a function that raises it, whatever its arguments."""

    def fail(*_, **__):
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "is_bug"),
    [(MlflowException("no\nhttp://me:secret@host/"), False), (KeyError(), True)],
)
def test_a_run_that_mlflow_fails_goes_on_with_one_warning(
    begin, database, tmp_path, monkeypatch, caplog, capsys, error, is_bug
):
    run = begin()
    monkeypatch.setattr(MlflowClient, "log_model_artifacts", raising(error))
    run.save("train")
    run.save(*ALL[1:])
    run.finish()
    (record,) = [each for each in caplog.records if each.name == "mnist_kedro.tracking.hooks"]
    assert record.getMessage().startswith("MLflow does not take what this run logs (")
    assert "secret" not in record.getMessage()
    assert bool(record.exc_info) is is_bug  # a bug shows its traceback
    assert capsys.readouterr().out == ""
    assert statuses(database, tmp_path.name) == {"parent": "FAILED", "tiny": "FAILED"}


def test_a_forked_process_logs_nothing(begin, database, tmp_path):
    run = begin()
    worker = multiprocessing.get_context("fork").Process(target=run.save, args=("train",))
    worker.start()
    worker.join()
    assert worker.exitcode == 0
    assert statuses(database, tmp_path.name) == {"parent": "RUNNING"}
    run.finish()


def test_runs_of_one_process_do_not_meet_and_nothing_of_mlflow_is_changed(begin, database):
    before = mlflow.get_tracking_uri()
    hooks = TrackingHooks()
    first = begin(hooks=hooks, experiment="first", run_id="1")
    second = begin(hooks=hooks, experiment="second", run_id="2")
    first.save("train")
    second.fail(ValueError("no"))
    first.finish()
    assert statuses(database, "first") == {"parent": "FINISHED", "tiny": "FINISHED"}
    assert statuses(database, "second") == {"parent": "FAILED"}
    assert mlflow.get_tracking_uri() == before
    assert mlflow.active_run() is None
    changed = {"MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_ID", "MLFLOW_RUN_ID"}
    assert not changed & os.environ.keys()


def test_the_next_run_ends_killed_ones_of_this_project_alone(
    begin, database, tmp_path, monkeypatch
):
    monkeypatch.setattr(
        "mnist_kedro.tracking.tracked_run.is_alive", lambda _, run_id: run_id != "dead"
    )
    for run_id, project in (("dead", "a"), ("alive", "a"), ("dead", "b")):
        begin(run_id=run_id, project=tmp_path / project)
    begin(run_id="next", project=tmp_path / "a").finish()
    client = MlflowClient(database)
    experiment = client.get_experiment_by_name(tmp_path.name).experiment_id
    found = {
        tuple(Path(run.data.tags[f"kedro_{key}"]).name for key in ("project", "run_id")): (
            run.info.status
        )
        for run in client.search_runs([experiment])
    }
    assert found == {
        ("a", "dead"): "KILLED",
        ("a", "alive"): "RUNNING",
        ("b", "dead"): "RUNNING",
        ("a", "next"): "FINISHED",
    }


def test_a_run_that_no_hook_ends_was_killed(begin, database, tmp_path, monkeypatch):
    """Also the child that was just being logged."""
    at_exit = []
    atexit = SimpleNamespace(register=lambda *call: at_exit.append(call))
    monkeypatch.setattr("mnist_kedro.tracking.hooks.atexit", atexit)
    run = begin()
    monkeypatch.setattr(MlflowClient, "log_model_artifacts", raising(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        run.save("train")
    for function, *arguments in at_exit:
        function(*arguments)
    assert statuses(database, tmp_path.name) == {"parent": "KILLED", "tiny": "KILLED"}


def has_finished(database, name):
    """Whether this run is FINISHED; MLflow's client would join in making the tables."""
    if not database.exists():
        return False
    with closing(sqlite3.connect(database)) as connection:
        query = "SELECT 1 FROM runs WHERE name = ? AND status = 'FINISHED'"
        with suppress(sqlite3.OperationalError):  # the tables are being made
            return connection.execute(query, [name]).fetchone() is not None
    return False


@pytest.mark.slow
def test_after_sigterm_a_real_run_was_killed_and_what_was_saved_is_there(used_project):
    endless = "tracking.enabled=true,candidates.mlp_64.hyperparameters.epochs=100000"
    names = "--namespaces=logistic_regression,mlp_64"
    process = KedroProcess(used_project, "run", names, "--params", endless)
    wait_until(lambda: has_finished(used_project / "mlflow.db", "logistic_regression"))
    os.kill(process.pid, signal.SIGTERM)
    done = process.wait()
    assert done.returncode == 128 + signal.SIGTERM, done.stderr
    found = statuses(store(used_project), EMBEDDED_NAME)
    assert found == {"parent": "KILLED", "logistic_regression": "FINISHED"}


@pytest.mark.slow
def test_parallel_runs_log_the_same(used_project, run_kedro):
    names = ("logistic_regression", "mlp_64")
    on = (
        "--namespaces=" + ",".join(names),
        "--params",
        "tracking.enabled=true,tracking.models=all",
    )
    done = run_kedro(used_project, "run", "--runner=ParallelRunner", *on)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("MLflow    make ui  compares runs\n")
    _, runs = runs_in(store(used_project))
    assert {name: run.info.status for name, run in runs.items()} == dict.fromkeys(
        ("parent", *names), "FINISHED"
    )
    assert runs["parent"].data.tags["runner"] == "ParallelRunner"
    assert re.fullmatch(
        r"embedded digits \(not MNIST\) · logistic_regression 9\d\.\d\d %, mlp_64 9\d\.\d\d %",
        runs["parent"].info.run_name,
    )
    for name in names:
        assert runs[name].data.metrics["validation_accuracy"] > 0.9
        assert len(runs[name].outputs.model_outputs) == 1
