"""The services of a cluster, each a process of its own, in the order in which they start."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MOTO = "moto[server]==5.2.5"  # in an environment of its own: its packages do not go with ours
WORKERS = 2
PYTHON = (sys.executable, "-m")
POSTGRESQL = "/usr/lib/postgresql"  # Debian's folder, with one per version
USER = "mlflow"  # of the databases


def commands(folder: Path, variables: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Return the command of each service by its name.

    Args:
        folder: Where they keep what they have.
        variables: Those of `cluster.env`.
    """
    host, port = variables["CLUSTER_HOST"], variables["CLUSTER_POSTGRESQL_PORT"]
    data = str(folder / "postgresql")
    moto = (*PYTHON, "uv", "tool", "run", "--quiet", "--from", MOTO, "moto_server", "-H", host)
    scheduler = ("scheduler", "--host", host, "--port", variables["CLUSTER_SCHEDULER_PORT"])
    worker = ("worker", variables["CLUSTER_SCHEDULER"], "--nthreads", "1", "--resources")
    return {
        "s3": (*moto, "-p", variables["CLUSTER_S3_PORT"]),
        "postgresql": (*_postgresql("postgres"), "-D", data, "-h", host, "-p", port, "-k", ""),
        "mlflow": (
            *(*PYTHON, "mlflow", "server", "--workers", "1", "--host", host),
            *("--port", variables["CLUSTER_MLFLOW_PORT"]),
            *("--backend-store-uri", f"postgresql+psycopg2://{USER}@{host}:{port}/postgres"),
            *("--artifacts-destination", str(folder / "mlartifacts")),
        ),
        "scheduler": (*PYTHON, "dask", *scheduler, "--no-dashboard"),
    } | {
        f"worker-{number}": (*PYTHON, "dask", *worker, "threads=1", "--no-dashboard")
        for number in range(1, WORKERS + 1)
    }


def ports(variables: Mapping[str, str]) -> dict[str, int]:
    """Return the port of each service that has one."""
    names = ("s3", "postgresql", "mlflow", "scheduler")
    return {name: int(variables[f"CLUSTER_{name.upper()}_PORT"]) for name in names}


def make_database(folder: Path) -> None:
    """Make PostgreSQL's databases, MLflow's and one for tuning, if there are none yet."""
    data = folder / "postgresql"
    if (data / "PG_VERSION").exists():
        return
    data.mkdir(exist_ok=True)
    if os.geteuid() == 0:
        shutil.chown(data, "postgres")
    # Whoever is on this machine may read and write it, as in the other services here.
    options = ("--auth", "trust", "--username", USER, "--encoding", "UTF8")
    command = (*_postgresql("initdb"), "-D", str(data), *options)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    # MLflow and Optuna note the versions of their tables in tables of the same name.
    command = (*_postgresql("postgres"), "--single", "-D", str(data), "postgres")
    subprocess.run(command, check=True, input=b"CREATE DATABASE optuna", stdout=subprocess.DEVNULL)


def _postgresql(name: str) -> tuple[str, ...]:
    """Return how one of PostgreSQL's commands is called: never as root, who may not."""
    folders = os.pathsep.join(
        [os.environ["PATH"], *(f"{POSTGRESQL}/{version}/bin" for version in range(30, 12, -1))]
    )
    command = shutil.which(name, path=folders)
    if command is None:
        raise FileNotFoundError(
            f"expected PostgreSQL's {name} in PATH or {POSTGRESQL}, found none: "
            f"apt-get install postgresql"
        )
    return ("runuser", "-u", "postgres", "--", command) if os.geteuid() == 0 else (command,)
