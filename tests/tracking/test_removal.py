"""What of a run goes from MLflow, and what stays there."""

from contextlib import contextmanager
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import ViewType
from mlflow.exceptions import MlflowException

from mnist_kedro.parameters import UserError
from mnist_kedro.tracking.removal import RemovableRuns
from mnist_kedro.tracking.store import TrackingParameters

from .conftest import ALL, serving

OLD, NEW = "2026-01-01T00.00.00.000Z", "2026-01-02T00.00.00.000Z"


def removable(project, uri, enabled=True):
    parameters = TrackingParameters(
        enabled=enabled, models="all", uri=uri, experiment="e", registered_model="m"
    )
    return RemovableRuns(parameters, project)


class Store:
    """What MLflow holds for one test."""

    def __init__(self, uri, experiment):
        self.client = MlflowClient(uri)
        self._ids = [self.client.get_experiment_by_name(experiment).experiment_id]
        self._model = experiment

    def runs(self, view=ViewType.ACTIVE_ONLY):
        """Return names of projects, versions and names of runs."""
        return {
            (
                Path(run.data.tags["kedro_project"]).name,
                run.data.tags["kedro_run_id"],
                "parent" if "mlflow.parentRunId" not in run.data.tags else run.info.run_name,
            )
            for run in self.client.search_runs(self._ids, run_view_type=view)
        }

    def models(self):
        """Return the versions of the runs whose models are logged, and of those registered."""
        logged = [each.source_run_id for each in self.client.search_logged_models(self._ids)]
        registered = [
            each.run_id for each in self.client.search_model_versions(f"name = '{self._model}'")
        ]
        return sorted(map(self._version, logged)), sorted(map(self._version, registered))

    def _version(self, run_id):
        tags = self.client.get_run(run_id).data.tags
        return Path(tags["kedro_project"]).name, tags["kedro_run_id"]


@pytest.fixture
def track(begin, tmp_path):
    """Function that tracks runs of two versions of a project, and one of another project."""

    def track(**changes):
        changes = {"registered_model": tmp_path.name} | changes
        for project, version in (("a", OLD), ("a", NEW), ("b", OLD)):
            run = begin(project=tmp_path / project, run_id=version, **changes)
            run.save(*ALL)
            run.finish()

    return track


def files(folder):
    return {path for path in folder.rglob("*") if path.is_file()}


NAMES = ("parent", "tiny", "final_model")


def test_a_version_goes_with_its_children_models_and_files_and_nothing_else(
    track, database, tmp_path
):
    track()
    store = Store(database, tmp_path.name)
    logged = [("a", OLD), ("a", NEW), ("b", OLD)]
    assert store.models() == (sorted(2 * logged), sorted(logged))
    others = MlflowClient(database).create_experiment(f"{tmp_path.name}, deleted")
    store.client.delete_experiment(others)
    before = files(tmp_path)
    size = sum(path.stat().st_size for path in before)
    tracked = removable(tmp_path / "a", database)
    runs = tracked.find(OLD)
    assert {run.info.run_name for run in runs} == {"digits · tiny 75.00 %", "tiny", "final_model"}
    freed = tracked.count_bytes(runs)
    assert files(tmp_path) == before
    tracked.remove(runs)
    assert store.runs() == {
        (project, version, name) for project, version in logged[1:] for name in NAMES
    }
    assert store.models() == (sorted(2 * logged[1:]), logged[1:])
    left = files(tmp_path)
    assert freed == size - sum(path.stat().st_size for path in left) > 0
    ids = {run.info.run_id for run in runs}
    assert not any(path.name in ids for path in tmp_path.rglob("*"))
    # What somebody has deleted in MLflow can still be restored there, as this run's record can.
    assert len(store.runs(ViewType.DELETED_ONLY)) == 3
    store.client.restore_experiment(others)
    assert tracked.find(OLD) == []
    assert len(tracked.find(NEW)) == 3


STEPS = ("delete_model_version", "delete_logged_model", "delete_run")


@pytest.mark.parametrize("step", STEPS)
def test_what_an_interrupted_call_left_goes_with_the_next_one(
    track, database, tmp_path, monkeypatch, step
):
    track()
    tracked = removable(tmp_path / "a", database)
    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, step, interrupted)
        with pytest.raises(KeyboardInterrupt):
            tracked.remove(tracked.find(OLD))
    tracked = removable(tmp_path / "a", database)
    tracked.remove(tracked.find(OLD))
    store = Store(database, tmp_path.name)
    assert {version for project, version, _ in store.runs() if project == "a"} == {NEW}
    assert ("a", OLD) not in (*store.models()[0], *store.models()[1])


def interrupted(*_, **__):
    raise KeyboardInterrupt


def test_an_alias_is_seen(track, database, tmp_path):
    track()  # the last one has the alias `champion`
    a, b = (removable(tmp_path / project, database) for project in "ab")
    assert not a.have_alias(a.find(OLD))
    assert b.have_alias(b.find(OLD))
    assert not a.have_alias([])


def test_a_project_that_tracks_nothing_has_nothing_and_gets_no_database(tmp_path):
    for tracked in (removable(tmp_path, None), removable(tmp_path, "http://none", enabled=False)):
        assert tracked.find(OLD) == []
        assert not tracked.have_alias([])
        assert tracked.count_bytes([]) == 0
        tracked.remove([])
    assert list(tmp_path.iterdir()) == []


def test_what_does_not_answer_is_named(track, database, tmp_path, free_port, monkeypatch):
    with pytest.raises(UserError, match=rf"MLflow at http://\*\*\*@127.0.0.1:{free_port}, found: "):
        removable(tmp_path, f"http://me:secret@127.0.0.1:{free_port}")
    track()
    tracked = removable(tmp_path / "a", database)
    runs = tracked.find(OLD)

    def fail(*_, **__):
        raise MlflowException("gone")

    monkeypatch.setattr(MlflowClient, "search_model_versions", fail)
    with pytest.raises(UserError, match="expected to reach MLflow at .*, found: gone"):
        tracked.remove(runs)


@contextmanager
def server(folder, port):
    folder.mkdir()
    command = ("mlflow", "server", "--backend-store-uri", "sqlite:///server.db", "--workers", "1")
    with serving((*command, "--port", str(port)), port, folder):
        yield f"http://127.0.0.1:{port}"


@pytest.mark.slow
def test_a_server_keeps_the_files(track, tmp_path, free_port):
    with server(tmp_path / "server", free_port) as uri:
        track(uri=uri)
        before = files(tmp_path / "server")
        tracked = removable(tmp_path / "a", uri)
        runs = tracked.find(OLD)
        assert tracked.count_bytes(runs) == 0
        tracked.remove(runs)
        assert {path for path in before if path.suffix != ".db"} <= files(tmp_path / "server")
        store = Store(uri, tmp_path.name)
        assert {version for project, version, _ in store.runs() if project == "a"} == {NEW}
        assert ("a", OLD) not in (*store.models()[0], *store.models()[1])
