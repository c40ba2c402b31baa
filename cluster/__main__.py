"""`python -m cluster up` and `python -m cluster down`."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from dotenv import dotenv_values

from cluster.services import commands, make_database, ports

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[1]
VARIABLES = ROOT / "conf" / "cluster" / "cluster.env"
SECONDS = 120.0  # within which a service answers; the first time, that of S3 is downloaded
STOPPING = 10.0  # seconds, after which a service is killed
BUCKET = "mnist-kedro"
READY = """\
The cluster is up:
  scheduler  {CLUSTER_SCHEDULER}
  MLflow     {MLFLOW_TRACKING_URI}
  S3         {AWS_ENDPOINT_URL}
Next: set -a; . conf/cluster/cluster.env; set +a
      kedro run --env=cluster --runner=mnist_kedro.runners.DaskRunner \\
        --runner-params=address=$CLUSTER_SCHEDULER
"""


def up(folder: Path, variables: Mapping[str, str]) -> None:
    """Start everything, and wait until it answers.

    Raises:
        RuntimeError: Something of it ends instead of answering.
    """
    folder.mkdir(exist_ok=True)
    make_database(folder)
    for name, command in commands(folder, variables).items():
        with (folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                command,
                env=os.environ | dict(variables),
                cwd=ROOT,
                stdout=log,
                stderr=log,
                start_new_session=True,  # which ends as a whole
            )
        (folder / f"{name}.pid").write_text(str(process.pid))
        if port := ports(variables).get(name):
            _wait_for(process, variables["CLUSTER_HOST"], port, folder / f"{name}.log")
    _make_bucket(variables)


def down(folder: Path) -> None:
    """Stop everything, the last first; what MLflow and PostgreSQL have stays, S3's is lost."""
    files = sorted(folder.glob("*.pid"), key=lambda path: path.stat().st_mtime, reverse=True)
    for file in files:
        group = int(file.read_text())
        with suppress(ProcessLookupError):  # it has ended by itself
            os.killpg(group, signal.SIGTERM)
            until = time.monotonic() + STOPPING
            while _lives(group) and time.monotonic() < until:
                time.sleep(0.1)
            os.killpg(group, signal.SIGKILL)
        file.unlink()


def _lives(group: int) -> bool:
    """Tell whether a process of a group goes on; one that has ended and not been waited for not."""
    for process in psutil.process_iter(["status"]):
        with suppress(ProcessLookupError):
            if os.getpgid(process.pid) == group and process.info["status"] != psutil.STATUS_ZOMBIE:
                return True
    return False


def _make_bucket(variables: Mapping[str, str]) -> None:
    from pyarrow.fs import S3FileSystem

    S3FileSystem(
        access_key=variables["AWS_ACCESS_KEY_ID"],
        secret_key=variables["AWS_SECRET_ACCESS_KEY"],
        region=variables["AWS_REGION"],
        endpoint_override=variables["AWS_ENDPOINT_URL"],
        allow_bucket_creation=True,
    ).create_dir(BUCKET)


def _wait_for(process: subprocess.Popen[bytes], host: str, port: int, log: Path) -> None:
    until = time.monotonic() + SECONDS
    while time.monotonic() < until and process.poll() is None:
        with suppress(OSError), socket.create_connection((host, port), 1):
            return
        time.sleep(0.1)
    raise RuntimeError(f"expected an answer on port {port} within {SECONDS:g} s, found none: {log}")


def main() -> None:
    """Do what the command line says."""
    folder = Path(os.environ.get("CLUSTER_FOLDER", ROOT / ".cluster"))
    variables = {name: str(value) for name, value in dotenv_values(VARIABLES).items()}
    if sys.argv[1:] == ["up"] and any(folder.glob("*.pid")):
        sys.exit(f"Error: expected no cluster in {folder}, found one: `make cluster-down` first")
    if sys.argv[1:] == ["up"]:
        try:
            up(folder, variables)
        except (OSError, RuntimeError, subprocess.SubprocessError) as error:
            down(folder)
            sys.exit(f"Error: {error}")
        sys.stdout.write(READY.format(**variables))
    elif sys.argv[1:] == ["down"]:
        down(folder)
    else:
        sys.exit("usage: python -m cluster up|down")


if __name__ == "__main__":
    main()
