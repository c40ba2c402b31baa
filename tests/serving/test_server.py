"""The server as a process: how it starts and stops, what it loads, what it waits for."""

import socket
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest

from docs.pages import free_port
from mnist_kedro.data.sources import embedded_digits
from mnist_kedro.serving import app, server
from mnist_kedro.serving.champion import open_champion
from tests.serving.demo_process import SECONDS, demo
from tests.serving.mean_digits import (
    BLANK,
    make_manifest,
    make_model,
    mean_images,
    picture,
    save_champion,
)


def test_it_names_its_address_and_stops_quietly(served_project):
    with demo(served_project) as running:
        running.json("GET", "/health")
    assert running.process.returncode == 0
    address = f"http://127.0.0.1:{running.port}"
    assert running.out.read_text() == f"Draw digits at {address} (Ctrl-C stops)\n"
    assert len(running.err.read_text().splitlines()) == len(running.log()) == 1


def test_the_log_has_a_line_per_request_and_nothing_that_was_sent(served_project):
    with demo(served_project) as running:
        running.predict([[251] * 28] * 28)
        running.request("GET", "/secret-path?secret-query", headers={"X-Secret": "secret"})
        running.json("POST", "/predict", picture(), {"Content-Type": "image/png"})
        running.request("POST", "/predict", b"secret-text", {"Content-Type": "secret/type"})
    lines = running.log()
    assert [line["status"] for line in lines] == [200, 404, 200, 415]
    assert [line["path"] for line in lines] == ["/predict", None, "/predict", "/predict"]
    assert [line["predictions"] for line in lines] == [1, 0, 1, 0]
    keys = {"time", "method", "path", "status", "bytes", "ms", "predictions"}
    assert all(line.keys() == keys for line in lines)
    assert len(running.err.read_text().splitlines()) == 4
    assert "secret" not in running.err.read_text()


AUDITED = """
import atexit, sys

def audit(event, _):
    if event == "pickle.find_class":
        print("unpickled", file=sys.stderr)

sys.addaudithook(audit)
atexit.register(lambda: print("modules:", *sys.modules))
from kedro.framework.cli import main
main()
"""


def test_it_unpickles_nothing_and_imports_nothing_heavy(served_project):
    with demo(served_project, code=("-c", AUDITED)) as running:
        assert running.predict(BLANK)[0] == 200
        status, _ = running.json("POST", "/predict", picture(), {"Content-Type": "image/png"})
        assert status == 200
        assert running.request("GET", "/docs")[0] == 200
    assert "unpickled" not in running.err.read_text()
    modules = set(running.out.read_text().partition("modules: ")[2].split())
    assert {"onnxruntime", "mnist_kedro.serving.app"} < modules
    heavy = {"joblib", "matplotlib", "mlflow", "onnx", "pandas", "sklearn", "skops", "torch"}
    assert not heavy & modules


def test_a_new_champion_answers_without_a_restart_and_a_damaged_one_does_not(
    tmp_path, copy_project
):
    weights, digit = mean_images(), embedded_digits().test_images[0].tolist()
    project = copy_project(tmp_path / "project")
    models = [make_model(weights), make_model(np.roll(weights, 1, axis=1))]
    save_champion(project, "2026-01-01T00.00.00.000Z", models[0], make_manifest(models[0]))
    with demo(project) as running:
        _, first = running.predict(digit)
        save_champion(project, "2026-01-02T00.00.00.000Z", models[1], make_manifest(models[0]))
        wait_until(lambda: "expected the ONNX file" in running.err.read_text())
        assert running.json("GET", "/health") == (200, {"status": "ok"})
        assert running.predict(digit)[1] == first
        save_champion(project, "2026-01-03T00.00.00.000Z", models[1], make_manifest(models[1]))
        wait_until(lambda: running.predict(digit)[1]["version"].startswith("2026-01-03"))
        _, second = running.predict(digit)
    labels = [answer["predictions"][0]["label"] for answer in (first, second)]
    assert labels[1] == (labels[0] + 1) % 10


def test_on_a_desktop_the_page_is_opened(served_project, tmp_path):
    opened = tmp_path / "opened"
    browser = {"BROWSER": f"sh -c 'echo %s > {opened}'", "DISPLAY": ":0"}
    with demo(served_project, "--env", "local", environment=browser) as running:
        running.json("GET", "/health")
    assert opened.read_text() == f"http://127.0.0.1:{running.port}\n"


def test_of_all_interfaces_any_host_is_taken_with_a_warning(served_project):
    everywhere = ["--no-browser", "--host", "0.0.0.0"]  # noqa: S104
    with demo(served_project, *everywhere) as running:
        assert running.json("GET", "/health", headers={"Host": "digits.example"})[0] == 200
    warning = f"Everybody who can reach http://0.0.0.0:{running.port} can use it.\n"
    assert running.err.read_text().startswith(warning)


class Champions(SimpleNamespace):
    async def watch(self):
        pass


@pytest.fixture
def impatient_server(monkeypatch):
    """Port of a server in this process that waits for 0.3 s only."""
    monkeypatch.setattr(server, "REQUEST_SECONDS", 0.3)
    monkeypatch.setattr(app, "BODY_SECONDS", 0.1)
    model = make_model(mean_images())
    champions = Champions(current=open_champion("v", model, make_manifest(model)))
    with server.listen("127.0.0.1", free_port()) as listener:
        running = server.create_server(champions, "127.0.0.1")
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
        thread.start()
        yield listener.getsockname()[1]
        running.should_exit = True
        thread.join()


def answer_to(port, data):
    """All that a server sends before it closes the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as connection:
        connection.sendall(data)
        return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.mark.parametrize("data", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n"])
def test_a_request_that_does_not_come_is_given_up(impatient_server, data):
    assert answer_to(impatient_server, data) == b""


def test_a_body_that_does_not_come_is_given_up_with_a_sentence(impatient_server):
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
    answer = answer_to(impatient_server, head + b"Content-Length: 9\r\n\r\n1234")
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert answer.endswith(b'{"error":"expected the whole body within 0.1 s, found 4 bytes of it"}')


def test_a_request_in_time_is_answered(impatient_server):
    answer = answer_to(impatient_server, b"GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n")
    assert answer.endswith(b'{"status":"ok"}')


def test_unless_told_a_port_it_takes_another_when_its_own_is_taken(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr(server, "PORT", port)
        with server.listen("127.0.0.1", None) as listener:
            assert listener.getsockname()[1] != port
        sentence = f"^expected to be able to listen on port {port} of 127.0.0.1, found: Address al"
        with pytest.raises(OSError, match=sentence):
            server.listen("127.0.0.1", port)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.0.0.2", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),  # noqa: S104
        ("::", False),
        ("192.168.1.5", False),
        ("digits.example", False),
    ],
)
def test_loopback_is_what_only_this_machine_reaches(host, loopback):
    assert server.is_loopback(host) is loopback


def wait_until(condition):
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)
