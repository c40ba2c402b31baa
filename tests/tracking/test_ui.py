"""Which links `kedro ui` gives, and what it says where there is nothing to see."""

import signal
import socket
import subprocess
import sys

import pytest

from mnist_kedro.parameters import UserError
from mnist_kedro.tracking.store import TrackingParameters
from mnist_kedro.tracking.ui import HOST, serve

from .conftest import answers, serving, wait_until

PARAMETERS = {
    "enabled": True,
    "models": "final",
    "experiment": "{data}",
    "registered_model": "{data}",
}


def served(folder, uri, port=1):
    return serve(TrackingParameters(uri=uri, **PARAMETERS), folder, port)


def test_where_nothing_is_tracked_it_says_so(tmp_path, database):
    with pytest.raises(UserError, match="found none: `kedro run` first"), served(tmp_path, None):
        pass


def test_a_server_that_does_not_answer_is_one_sentence(tmp_path, free_port):
    uri = f"http://me:secret@127.0.0.1:{free_port}"
    with pytest.raises(UserError, match=r"expected to reach MLflow at http://\*\*\*@"):
        served(tmp_path, uri).__enter__()


def test_a_taken_port_is_named(begin, database, tmp_path):
    begin().save("train")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"cannot listen on port {port}: .* with --port"):
            served(tmp_path, database, port).__enter__()


@pytest.mark.slow
def test_a_database_is_served_until_the_end_and_a_server_that_is_there_is_used(
    begin, database, tmp_path, free_port
):
    begin().save("train")
    page = served(tmp_path, database, free_port)
    links = page.__enter__()
    assert answers(f"http://127.0.0.1:{free_port}")
    assert all(link.startswith(f"http://{HOST}:{free_port}/#/") for link in links.values())
    ctrl_c = KeyboardInterrupt()
    assert not page.__exit__(KeyboardInterrupt, ctrl_c, None)
    assert not answers(f"http://127.0.0.1:{free_port}")
    command = ("mlflow", "server", "--backend-store-uri", database, "--workers", "1")
    with serving((*command, "--port", str(free_port)), free_port, tmp_path):
        uri = f"http://127.0.0.1:{free_port}"
        with served(tmp_path, uri, free_port) as links:
            assert all(link.startswith(f"{uri}/#/experiments/") for link in links.values())


@pytest.mark.slow
def test_the_server_ends_with_the_command(finished_project, free_port):
    command = ("kedro", "ui", "--no-browser", "--port", str(free_port))
    process = subprocess.Popen(
        [sys.executable, "-m", *command], cwd=finished_project[0], stdout=subprocess.DEVNULL
    )
    try:
        wait_until(lambda: answers(f"http://127.0.0.1:{free_port}"))
        process.terminate()
        assert process.wait(60) == 128 + signal.SIGTERM
    finally:
        process.kill()
    wait_until(lambda: not answers(f"http://127.0.0.1:{free_port}"), 20)
