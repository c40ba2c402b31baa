"""Databases in which MLflow keeps runs: each is made whole, by one process at a time."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine

ANSWER_SECONDS = 5.0  # within which a server answers, or counts as out of reach
PORTS = {"sqlite": None, "postgresql": 5432, "mysql": 3306}
ADVISORY_LOCK = 0x6D6E697374  # "mnist": any number will do that no other program takes


def kind(uri: str) -> str:
    """Return which database an address is of, without the driver: `postgresql+psycopg2://…`."""
    return urlsplit(uri).scheme.partition("+")[0]


def open_database(uri: str) -> None:
    """Open and close it, if it is one: where that fails, MLflow would try for minutes.

    Raises:
        SQLAlchemyError: It cannot be opened.
    """
    if kind(uri) in PORTS:
        _engine(uri).connect().close()


@contextmanager
def making(uri: str, project: Path) -> Iterator[None]:
    """Keep others waiting who would make the same tables: two that migrate a database break it.

    Args:
        uri: Of a database or server.
        project: Its folder. Runs of other projects wait only for a PostgreSQL database or an
            SQLite file that they share.
    """
    from filelock import FileLock
    from sqlalchemy import text

    if kind(uri) == "postgresql":
        with _engine(uri).begin() as connection:
            connection.execute(text(f"SELECT pg_advisory_xact_lock({ADVISORY_LOCK})"))
            yield
    else:
        file = _file(uri) or project / "mlflow.db"
        with FileLock(f"{file}.lock"):
            yield


def make_whole(uri: str, artifacts: str) -> None:
    """Make the tables of an empty SQLite file aside, and move it into place when it has them all.

    SQLite has no migrations that happen as a whole or not at all: a process that is killed in the
    middle would leave tables with which MLflow can do nothing. PostgreSQL has.

    Args:
        uri: Of any database; nothing is done unless it is an SQLite file of 0 bytes.
        artifacts: Where MLflow's own experiment, `Default`, keeps its files.
    """
    file = _file(uri)
    if file is None or file.stat().st_size:
        return
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    unfinished = file.with_name(f"{file.name}.unfinished")
    for left in file.parent.glob(f"{unfinished.name}*"):  # with its journal
        left.unlink()
    tables = SqlAlchemyStore(f"sqlite:///{unfinished}", artifacts)  # type: ignore[no-untyped-call]
    tables.engine.dispose()
    # The journal of who was killed at the first table would be played back into the new file.
    file.with_name(f"{file.name}-journal").unlink(missing_ok=True)
    unfinished.replace(file)


def _file(uri: str) -> Path | None:
    """Return the file of an SQLite database, `None` if it is in memory or another database."""
    from sqlalchemy import make_url

    name = (kind(uri) == "sqlite" and make_url(uri).database) or ":memory:"
    return None if name.startswith((":memory:", "file:")) else Path(name)


def _engine(uri: str) -> Engine:
    """Return what opens a database, gives up soon and keeps no connection."""
    from sqlalchemy import NullPool, create_engine

    limit = {"connect_timeout": int(ANSWER_SECONDS)} if PORTS[kind(uri)] else {}
    return create_engine(uri, connect_args=limit, poolclass=NullPool)
