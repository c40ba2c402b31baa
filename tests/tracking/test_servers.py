"""A run that is tracked by a real MLflow server, and one whose server dies in the middle."""

import pytest

from mnist_kedro.tracking import TrackingHooks
from mnist_kedro.tracking.store import ENVIRONMENT

from .conftest import Run, runs_in, serving

pytestmark = pytest.mark.slow
ALL = ("train", "report", "choose", "fit", "score", "write")


def test_what_a_server_that_hangs_costs_is_limited():
    retries, seconds = (
        int(ENVIRONMENT[f"MLFLOW_HTTP_REQUEST_{n}"]) for n in ("MAX_RETRIES", "TIMEOUT")
    )
    assert (1 + retries) * seconds <= 30


def test_a_server_gets_all_and_a_run_goes_on_when_it_dies(
    tmp_path, free_port, monkeypatch, capsys, caplog
):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    uri = f"http://me:secret@127.0.0.1:{free_port}"
    command = ("mlflow", "server", "--backend-store-uri", "sqlite:///server.db", "--workers", "1")
    with serving((*command, "--port", str(free_port)), free_port, tmp_path):
        run = Run(TrackingHooks(), tmp_path / "project", uri=uri).start()
        run.save(*ALL)
        run.finish()
        assert capsys.readouterr().out == f"MLflow    http://***@127.0.0.1:{free_port}\n"
        client, runs = runs_in(uri, "e")
        assert {run.info.status for run in runs.values()} == {"FINISHED"}
        assert set(runs) == {"parent", "tiny", "final_model"}
        files = client.list_artifacts(runs["tiny"].info.run_id)
        assert [file.path for file in files] == ["class_report.csv"]
        registered = client.get_model_version_by_alias("m", "champion")
        assert registered.run_id == runs["final_model"].info.run_id
        (output,) = runs["final_model"].outputs.model_outputs
        files = client.list_logged_model_artifacts(output.model_id)
        assert "MLmodel" in {file.path for file in files}
        dying = Run(TrackingHooks(), tmp_path / "project", "later", uri=uri).start()
    dying.save("train")
    dying.save(*ALL[1:])
    dying.finish()
    (record,) = [each for each in caplog.records if each.name == "mnist_kedro.tracking.hooks"]
    assert "it goes on untracked" in record.getMessage()
    assert "secret" not in record.getMessage()
    assert record.exc_info in (None, False)
    assert capsys.readouterr().out == ""
    assert [path.name for path in (tmp_path / "project").iterdir()] == []
