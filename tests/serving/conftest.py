"""A server in this process, the real `kedro demo` in another one, and requests to both."""

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import closing, contextmanager
from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from docs import pages
from mnist_kedro.serving.champion import open_champion
from mnist_kedro.serving.server import create_server, listen
from tests.serving.mean_digits import VERSION, make_manifest, make_model, mean_images, save_champion

SECONDS = 60  # after which a server that does not answer counts as broken


@dataclass(frozen=True)
class Client:
    """Sends requests to a server on this machine."""

    port: int

    def request(self, method, path, body=None, headers=None):
        """Return status, headers and the body of an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        with closing(connection):
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return response.status, response.headers, response.read()

    def json(self, method, path, body=None, kind="application/json"):
        """Return status and the JSON of an answer."""
        status, _, content = self.request(method, path, body, {"Content-Type": kind})
        return status, json.loads(content)

    def predict(self, images):
        """Return status and answer for pixels."""
        return self.json("POST", "/predict", json.dumps({"images": images}))


@pytest.fixture(scope="session")
def client():
    """Client of the server in this process."""
    model = make_model(mean_images())
    champions = SimpleNamespace(current=open_champion(VERSION, model, make_manifest(model)))

    async def watch():
        pass

    champions.watch = watch
    with listen("127.0.0.1", pages.free_port()) as listener:
        server = create_server(champions, "127.0.0.1")
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield Client(listener.getsockname()[1])
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="session")
def served_project(tmp_path_factory, copy_project):
    model = make_model(mean_images())
    folder = copy_project(tmp_path_factory.mktemp("serving") / "project")
    save_champion(folder, VERSION, model, make_manifest(model))
    return folder


@pytest.fixture(scope="session")
def demo():
    """Function that starts `kedro demo` in a project, and stops it with Ctrl-C."""

    @contextmanager
    def demo(project, *options, code=("-m", "kedro"), **environment):
        port = pages.free_port()
        out, err = project / "demo.out", project / "demo.err"
        with out.open("wb") as stdout, err.open("wb") as stderr:
            process = subprocess.Popen(
                [sys.executable, *code, "demo", "--port", str(port), *options],
                cwd=project,
                stdout=stdout,
                stderr=stderr,
                env=os.environ | environment,
            )
            try:
                pages.wait_until_it_answers(process, port)
                yield SimpleNamespace(client=Client(port), process=process, out=out, err=err)
            finally:
                process.send_signal(signal.SIGINT)
                process.wait(SECONDS)

    return demo


@pytest.fixture(scope="session")
def demo_url(finished_project, tmp_path_factory):
    """Address of `kedro demo`, where the final model of the finished project reads digits."""
    left_out = shutil.ignore_patterns("mlflow.db*", "mlartifacts")
    project = tmp_path_factory.mktemp("demo") / "project"
    with pages.demo(shutil.copytree(finished_project[0], project, ignore=left_out)) as url:
        yield url
