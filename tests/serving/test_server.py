"""The server: how it starts and stops, what it loads, and its connections."""

import socket
import time

import numpy as np
import pytest

from mnist_kedro.data.sources import embedded_digits
from mnist_kedro.parameters import UserError
from mnist_kedro.serving import server
from tests.serving.conftest import SECONDS
from tests.serving.mean_digits import (
    BLANK,
    make_manifest,
    make_model,
    mean_images,
    picture,
    save_champion,
)

GET = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"


def connect(client):
    return socket.create_connection(("127.0.0.1", client.port), timeout=SECONDS)


def test_a_thousand_requests_in_one_write_are_all_answered(client):
    with connect(client) as connection:
        connection.sendall(999 * GET + GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        answers = b"".join(iter(lambda: connection.recv(2**16), b""))
    assert answers.count(b"HTTP/1.1 200 OK\r\n") == 1000


def test_who_hangs_up_does_no_harm(client, caplog):
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
    with connect(client) as connection:
        connection.sendall(head + b"Content-Length: 9\r\n\r\n1234")
    assert client.json("GET", "/health") == (200, {"status": "ok"})
    assert caplog.messages == []


def test_too_many_connections_are_refused_until_some_are_closed(client):
    waiting = [connect(client) for _ in range(64)]
    try:
        wait_until(lambda: client.request("GET", "/health")[0] == 503)
        assert client.request("GET", "/ready")[0] == 503
    finally:
        for each in waiting:
            each.close()
    wait_until(lambda: client.request("GET", "/health")[0] == 200)
    assert client.request("GET", "/ready")[0] == 200


def test_on_a_desktop_it_opens_the_page_names_its_address_and_stops_quietly(
    served_project, tmp_path, demo
):
    opened = tmp_path / "opened"
    browser = {"BROWSER": f"sh -c 'echo %s > {opened}'", "DISPLAY": ":0"}
    with demo(served_project, "--env", "local", **browser) as running:
        assert running.client.json("GET", "/health")[0] == 200
    assert running.process.returncode == 0
    address = f"http://127.0.0.1:{running.client.port}"
    assert opened.read_text() == f"{address}\n"
    assert running.out.read_text() == f"Draw digits at {address} (Ctrl-C stops)\n"
    assert running.err.read_text() == ""


def test_it_logs_requests_if_asked(served_project, demo):
    with demo(served_project, "--no-browser", "--access-log") as running:
        assert running.client.request("GET", "/health")[0] == 200
    assert '"GET /health HTTP/1.1" 200' in running.err.read_text()


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


def test_it_unpickles_nothing_and_imports_nothing_heavy(served_project, demo):
    with demo(served_project, "--no-browser", code=("-c", AUDITED)) as running:
        assert running.client.predict(BLANK)[0] == 200
        assert running.client.json("POST", "/predict", picture(), "image/png")[0] == 200
        assert running.client.request("GET", "/docs")[0] == 200
    assert "unpickled" not in running.err.read_text()
    modules = set(running.out.read_text().partition("modules: ")[2].split())
    assert {"onnxruntime", "mnist_kedro.serving.app"} < modules
    heavy = {"joblib", "matplotlib", "mlflow", "onnx", "pandas", "sklearn", "skops", "torch"}
    assert not heavy & modules


def test_a_new_champion_answers_without_a_restart_and_a_damaged_one_does_not(
    tmp_path, copy_project, demo
):
    weights, digit = mean_images(), embedded_digits().test_images[0].tolist()
    project = copy_project(tmp_path / "project")
    models = [make_model(weights), make_model(np.roll(weights, 1, axis=1))]
    save_champion(project, "2026-01-01T00.00.00.000Z", models[0], make_manifest(models[0]))
    with demo(project, "--no-browser") as running:
        client = running.client
        _, first = client.predict(digit)
        save_champion(project, "2026-01-02T00.00.00.000Z", models[1], make_manifest(models[0]))
        wait_until(lambda: "expected the ONNX file" in running.err.read_text())
        assert client.predict(digit)[1] == first
        save_champion(project, "2026-01-03T00.00.00.000Z", models[1], make_manifest(models[1]))
        wait_until(lambda: client.predict(digit)[1]["version"].startswith("2026-01-03"))
        _, second = client.predict(digit)
    labels = [answer["predictions"][0]["prediction"] for answer in (first, second)]
    assert labels[1] == (labels[0] + 1) % 10


def test_on_all_interfaces_any_host_is_taken_with_a_warning(served_project, demo):
    with demo(served_project, "--no-browser", "--host", "0.0.0.0") as running:  # noqa: S104
        host = {"Host": "digits.example"}
        assert running.client.request("GET", "/health", headers=host)[0] == 200
    assert f"http://0.0.0.0:{running.client.port} can use it" in running.err.read_text()


def test_unless_told_a_port_it_takes_another_when_its_own_is_taken(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr(server, "PORT", port)
        with server.listen("127.0.0.1", None) as listener:
            assert listener.getsockname()[1] != port
        sentence = f"^cannot listen on port {port} of 127.0.0.1: Address already in use; choose"
        with pytest.raises(UserError, match=sentence):
            server.listen("127.0.0.1", port)


def test_loopback_is_what_only_this_machine_reaches():
    hosts = ("127.0.0.2", "::1", "localhost", "0.0.0.0", "::", "192.168.1.5", "digits.example")  # noqa: S104
    assert [*filter(server.is_loopback, hosts)] == ["127.0.0.2", "::1", "localhost"]


def wait_until(condition):
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)
