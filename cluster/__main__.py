"""`python -m cluster`: an S3 server, MLflow, a Dask scheduler and two workers, until Ctrl-C."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from dotenv import dotenv_values

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).parents[1]
VARIABLES = ROOT / "conf" / "cluster" / "cluster.env"
BUCKET = "mnist-kedro"
MOTO = "moto[server]==5.2.5"  # the S3 server; uv gives it an environment of its own
START_SECONDS = 120  # uv downloads the S3 server the first time
STOP_SECONDS = 10  # then a service is killed
READY = """\
The cluster is up. Its logs are in {folder}. Ctrl-C stops it. In another terminal:
  set -a; . conf/cluster/cluster.env; set +a
  kedro run --env=cluster --runner=mnist_kedro.runners.DaskRunner \\
    --runner-params=address=$CLUSTER_SCHEDULER
"""


@contextmanager
def run_cluster(folder: Path, variables: Mapping[str, str]) -> Iterator[None]:
    """Run all services until the context ends. MLflow keeps its data, S3 loses it.

    Args:
        folder: Where data and logs are kept.
        variables: Those of `cluster.env`.

    Raises:
        RuntimeError: A service stopped, or does not answer.
    """
    from s3fs import S3FileSystem

    host, python = variables["CLUSTER_HOST"], (sys.executable, "-m")
    names = ("S3", "MLFLOW", "SCHEDULER")
    s3, mlflow, scheduler = (variables[f"CLUSTER_{name}_PORT"] for name in names)
    moto = (*python, "uv", "tool", "run", "--quiet", "--from", MOTO, "moto_server")
    stores = ("--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}")
    artifacts = ("--artifacts-destination", str(folder / "mlartifacts"))
    worker = (*python, "dask", "worker", variables["CLUSTER_SCHEDULER"], "--nthreads", "1")
    with ExitStack() as stack:

        def start(name: str, *command: str, port: str = "") -> None:
            log = folder / f"{name}.log"
            process = stack.enter_context(_service(command, variables, log))
            if port:
                _wait_for(process, host, int(port), log)

        start("s3", *moto, "-H", host, "-p", s3, port=s3)
        S3FileSystem(
            key=variables["AWS_ACCESS_KEY_ID"],
            secret=variables["AWS_SECRET_ACCESS_KEY"],
            endpoint_url=variables["AWS_ENDPOINT_URL"],
        ).mkdir(BUCKET)
        address = ("--host", host, "--port", mlflow, "--workers", "1")
        start("mlflow", *python, "mlflow", "server", *address, *stores, *artifacts, port=mlflow)
        address = ("--host", host, "--port", scheduler, "--no-dashboard")
        start("scheduler", *python, "dask", "scheduler", *address, port=scheduler)
        for number in (1, 2):
            start(f"worker-{number}", *worker, "--no-dashboard")
        yield


@contextmanager
def _service(
    command: tuple[str, ...], variables: Mapping[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process, and those that it starts, until the context ends."""
    with log.open("wb") as file:
        process = subprocess.Popen(
            command,
            env=os.environ | dict(variables),
            cwd=ROOT,
            stdout=file,
            stderr=file,
            start_new_session=True,  # makes a group of processes, and keeps Ctrl-C from it
        )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):  # nothing of the group is left
            os.killpg(process.pid, signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(STOP_SECONDS)
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait_for(process: subprocess.Popen[bytes], host: str, port: int, log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        with suppress(OSError), socket.create_connection((host, port), 1):
            return
        time.sleep(0.1)
    raise RuntimeError(f"expected an answer on port {port} in {START_SECONDS} s, found none: {log}")


def main() -> None:
    """Run until a signal comes."""
    folder = ROOT / ".cluster"
    folder.mkdir(exist_ok=True)
    variables = {name: str(value) for name, value in dotenv_values(VARIABLES).items()}
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)  # stops the services, as Ctrl-C does
    try:
        with run_cluster(folder, variables):
            sys.stdout.write(READY.format(folder=folder))
            sys.stdout.flush()
            signal.pause()
    except KeyboardInterrupt:
        sys.stdout.write("The cluster is down.\n")
    except RuntimeError as error:
        sys.exit(f"Error: {error}")


if __name__ == "__main__":
    main()
