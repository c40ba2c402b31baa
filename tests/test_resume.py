"""Runs that go on where others ended, and runs side by side; real commands in processes."""

import json
import signal
import time

import pytest

pytestmark = pytest.mark.slow

FEW = "--namespaces=logistic_regression,mlp_64,model_selection"
SLOW = "candidates.mlp_64.hyperparameters.epochs=100000"


def fits(project):
    return {
        name: len(list((project / "data/06_models").glob(f"{name}/model.pkl/*/model.pkl")))
        for name in ("logistic_regression", "mlp_64")
    }


def records(project):
    paths = sorted((project / ".runs").glob("*.json"))
    return [json.loads(path.read_text())["finished"] for path in paths]


def wait_for_a_finished_fit(process, project, before):
    until = time.monotonic() + 60
    while (
        fits(project)["logistic_regression"] == before
        or "logistic_regression.model" not in (records(project)[-1])
    ):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_what_is_finished_is_not_fitted_again(used_project, start, run_kedro, number):
    process = start(used_project, FEW, "--params", SLOW)
    wait_for_a_finished_fit(process, used_project, 1)
    process.send_signal(number)
    process.communicate(timeout=10)
    assert fits(used_project) == {"logistic_regression": 2, "mlp_64": 1}

    changed = "candidates.mlp_64.hyperparameters.epochs=3"
    arguments = ("run", FEW, "--only-missing-outputs", "--params", changed)
    done = run_kedro(used_project, *arguments)
    assert done.returncode == 0, done.stderr
    assert fits(used_project) == {"logistic_regression": 2, "mlp_64": 2}
    # Nothing is left to do, and nothing is done.
    again = run_kedro(used_project, *arguments)
    assert again.returncode == 0, again.stderr
    assert fits(used_project) == {"logistic_regression": 2, "mlp_64": 2}


def test_a_changed_parameter_is_not_finished_work(used_project, run_kedro):
    done = run_kedro(used_project, "run", FEW, "--only-missing-outputs")
    assert done.returncode == 0, done.stderr
    assert fits(used_project) == {"logistic_regression": 1, "mlp_64": 1}
    changed = "candidates.logistic_regression.hyperparameters.C=0.1"
    done = run_kedro(used_project, "run", FEW, "--only-missing-outputs", "--params", changed)
    assert done.returncode == 0, done.stderr
    assert fits(used_project) == {"logistic_regression": 2, "mlp_64": 1}


def test_a_failed_run_says_how_to_go_on(used_project, run_kedro):
    broken = "candidates.mlp_64.hyperparameters.learning_rate=1e30"
    failed = run_kedro(used_project, "run", FEW, "--params", broken)
    assert failed.returncode == 1
    assert "to go on, add --only-missing-outputs to the same command." in failed.stderr
    assert "--from-nodes" not in failed.stderr
    done = run_kedro(used_project, "run", FEW, "--only-missing-outputs")
    assert done.returncode == 0, done.stderr
