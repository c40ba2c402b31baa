"""The real `kedro demo` in a process of its own, and requests to it."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from docs import pages

SECONDS = 180  # after which a server that does not answer counts as broken
JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Demo:
    """A server that runs, and the files with what it prints."""

    process: subprocess.Popen
    port: int
    out: Path
    err: Path

    def request(self, method, path, body=None, headers=None):
        """Return status, headers and the body of an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        with closing(connection):
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return response.status, response.headers, response.read()

    def json(self, method, path, body=None, headers=None):
        """Return status and the JSON of an answer."""
        status, _, content = self.request(method, path, body, headers)
        return status, json.loads(content)

    def predict(self, images):
        """Return status and answer for pixels."""
        return self.json("POST", "/predict", json.dumps({"images": images}), JSON)

    def send(self, *chunks):
        """Send bytes as they are until the server answers; return status and JSON of the answer."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=SECONDS) as connection:
            for chunk in chunks:
                connection.sendall(chunk)
            response = http.client.HTTPResponse(connection)
            response.begin()
            return response.status, json.loads(response.read())

    def log(self):
        """The lines of JSON that the server has printed."""
        return [json.loads(line) for line in self.err.read_text().splitlines() if line[:1] == "{"]


@contextmanager
def demo(project, *options, code=("-m", "kedro"), environment=None):
    """Start `kedro demo` in a project, and stop it with Ctrl-C."""
    port = pages.free_port()
    arguments = ["demo", "--port", str(port), *(options or ["--no-browser"])]
    out, err = project / "demo.out", project / "demo.err"
    with out.open("wb") as stdout, err.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, *code, *arguments],
            cwd=project,
            stdout=stdout,
            stderr=stderr,
            env=os.environ | (environment or {}),
        )
        try:
            pages.wait_until_it_answers(process, port)
            yield Demo(process, port, out, err)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(SECONDS)
