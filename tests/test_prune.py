"""`kedro prune`, as people call it."""

import shutil

import pytest
from mlflow import MlflowClient

from docs.pages import free_port
from mnist_kedro.run.lock import release, take_version

TRACKED = "tracking.enabled=true"
pytestmark = pytest.mark.slow


def snapshot(project):
    """Everything in the data folder and what MLflow has: names of files, and of versions by run."""
    data = {path.relative_to(project) for path in (project / "data").rglob("*") if path.is_file()}
    client = MlflowClient(f"sqlite:///{project}/mlflow.db")
    experiments = [each.experiment_id for each in client.search_experiments()]
    runs = client.search_runs(experiments)
    logged = {path for path in (project / "mlartifacts").rglob("*") if path.is_file()}
    return data, sorted(run.data.tags["kedro_run_id"] for run in runs), logged


def test_the_runs_of_one_candidate_but_the_latest_go_and_the_whole_ones_stay(
    used_project, run_kedro
):
    for _ in range(2):
        name = "--namespaces=logistic_regression"
        done = run_kedro(used_project, "run", name, f"--params={TRACKED}")
        assert done.returncode == 0, done.stderr
    (used_project / "conf" / "local" / "parameters_tracking.yml").unlink()  # it switches it off
    folder = used_project / "data" / "06_models" / "logistic_regression" / "model.pkl"
    whole, old, latest = sorted(path.name for path in folder.iterdir())
    before = snapshot(used_project)
    assert before[1] == [old] * 2 + [latest] * 2

    done = run_kedro(used_project, "prune", "--keep=1", "--dry-run")
    assert done.returncode == 0, done.stderr
    line, total = done.stdout.splitlines()[-2:]
    assert line.startswith(f"{old}  datasets: 5, runs in MLflow: 2, 0.")
    assert total.startswith("versions: 1, 0.")
    assert total.endswith(" MB would be freed (--dry-run: nothing is changed)")
    assert snapshot(used_project) == before

    done = run_kedro(used_project, "prune", "--keep=1")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-2] == line
    data, runs, logged = snapshot(used_project)
    assert data == {path for path in before[0] if path.parent.name != old}
    assert whole in {path.parent.name for path in data}
    assert runs == [latest] * 2
    assert logged < before[2]

    done = run_kedro(used_project, "prune", "--keep=1")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "versions: 0, 0.0 MB freed")
    done = run_kedro(used_project, "run", "--pipelines=model_selection")
    assert done.returncode == 0, done.stderr


def test_while_a_run_is_under_way_and_without_mlflow_nothing_goes(used_project, run_kedro):
    (version,) = (used_project / "data" / "05_model_input" / "splits.csv").iterdir()
    shutil.copytree(version, version.with_name("2025-01-01T00.00.00.000Z"))
    before = set((used_project / "data").rglob("*"))
    lock = take_version(used_project, "now")
    try:
        done = run_kedro(used_project, "prune", "--keep=1")
    finally:
        release(lock)
    error = "expected no run to be under way, found now: wait for its end"
    assert (done.returncode, done.stderr.splitlines()[-1]) == (1, f"Error: {error}")
    (used_project / "conf" / "local" / "parameters_tracking.yml").unlink()
    address = f"http://127.0.0.1:{free_port()}"
    done = run_kedro(used_project, "prune", "--keep=1", MLFLOW_TRACKING_URI=address)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"Error: expected to reach MLflow at {address},")
    assert set((used_project / "data").rglob("*")) == before
    done = run_kedro(used_project, "prune", "--keep=0")
    assert (done.returncode, "0 is not in the range" in done.stderr) == (2, True)
