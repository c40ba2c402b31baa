"""A run that is tracked in a real PostgreSQL database, without its password."""

import pytest
from sqlalchemy import MetaData, create_engine

from mnist_kedro.parameters import UserError
from mnist_kedro.tracking import TrackingHooks

from .conftest import Run, statuses
from .postgresql import INITDB, PASSWORD, QUOTED, postgresql

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not INITDB, reason="PostgreSQL is not installed (apt-get install postgresql)"
    ),
]


def everything_in(uri):
    """Return all rows of all tables as text."""
    engine, schema = create_engine(uri), MetaData()
    schema.reflect(engine)
    with engine.connect() as connection:
        return "".join(
            str(connection.execute(table.select()).all()) for table in schema.tables.values()
        )


def test_a_run_is_tracked_and_no_password_is_told(tmp_path, monkeypatch, capsys):
    with postgresql() as make:
        uri = make("fresh")
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        run = Run(TrackingHooks(), tmp_path / "project").start()
        run.save("train", "report", "choose", "fit", "score", "write")
        run.finish()
        assert statuses(uri, "e") == dict.fromkeys(("parent", "tiny", "final_model"), "FINISHED")
        told = everything_in(uri) + capsys.readouterr().out
        monkeypatch.delenv("MLFLOW_TRACKING_URI")
        with pytest.raises(UserError, match="password authentication failed for user") as raised:
            Run(TrackingHooks(), tmp_path, uri=uri.replace(QUOTED, "wr0ng")).start()
    assert "MLflow    postgresql+psycopg2://***@127.0.0.1:" in told
    for secret in (PASSWORD, QUOTED, "wr0ng"):
        assert secret not in told + str(raised.value)
        for path in tmp_path.rglob("*"):
            assert path.is_dir() or secret.encode() not in path.read_bytes()
