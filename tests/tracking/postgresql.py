"""A PostgreSQL server of the tests' own: with a password, on a free port of this machine."""

import os
import shutil
import subprocess
import tempfile
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2

from docs.pages import free_port

DEBIAN = sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")), reverse=True)
INITDB = shutil.which("initdb", path=os.pathsep.join([*DEBIAN, os.environ["PATH"]]))
USER = "postgres" if os.geteuid() == 0 else None  # it does not run as root
CLUSTER = ["--username=me", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"]
OPTIONS = "-p {} -h 127.0.0.1 -c unix_socket_directories= -c fsync=off"
PASSWORD, QUOTED = "s3cr/t@word", "s3cr%2Ft%40word"  # as it is, and in an address


@contextmanager
def postgresql():
    """Run a server until the block ends; yields a function that makes a database of this name."""
    folder, port = Path(tempfile.mkdtemp(prefix="postgresql_")), free_port()  # pytest's is root's
    data, password = folder / "data", folder / "password"
    try:
        password.write_text(PASSWORD)
        for path in (folder, password):
            shutil.chown(path, USER or os.geteuid())
        _do("initdb", f"--pgdata={data}", f"--pwfile={password}", *CLUSTER)
        server = ("pg_ctl", f"--pgdata={data}", "--wait")
        _do(*server, f"--log={folder / 'log'}", f"--options={OPTIONS.format(port)}", "start")
        try:
            yield lambda name: make_database(port, name)
        finally:
            _do(*server, "--mode=immediate", "stop")
    finally:
        shutil.rmtree(folder)


def make_database(port, name):
    """Make an empty database; return its address."""
    parts = {"host": "127.0.0.1", "port": port, "user": "me", "password": PASSWORD}
    with closing(psycopg2.connect(dbname="postgres", **parts)) as connection:
        connection.autocommit = True
        connection.cursor().execute(f'CREATE DATABASE "{name}"')
    return f"postgresql+psycopg2://me:{QUOTED}@127.0.0.1:{port}/{name}"


def _do(program, *arguments):
    command = [Path(INITDB).with_name(program), *arguments]
    subprocess.run(command, user=USER, cwd="/", stdout=subprocess.DEVNULL, check=True)
