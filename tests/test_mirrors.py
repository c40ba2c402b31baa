"""The web: every bad mirror falls through to the next, and nothing wrong is ever kept."""

import gzip
import json
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, suppress
from socketserver import BaseRequestHandler, ThreadingTCPServer

import numpy as np
import pytest
from filelock import FileLock

from mnist_kedro import mirrors
from mnist_kedro.mirrors import DownloadError, download
from mnist_kedro.sources import FILES

NAMES = {key: f"{name}.gz" for key, name in FILES.items()}
HTML = b"<!DOCTYPE html><html><title>Sign in to the network</title></html>"


def assert_same(found, expected):
    for key in FILES:
        np.testing.assert_array_equal(getattr(found, key), getattr(expected, key), err_msg=key)


def other_bytes(_, body):
    raw = gzip.decompress(body)
    return 200, {}, gzip.compress(raw[:-1] + bytes([raw[-1] ^ 1]))


BAD = {
    "missing": lambda *_: (404, {}, HTML),
    "missing, yet announced": lambda command, _: (404 if command == "GET" else 200, {}, HTML),
    "server error": lambda command, _: (500 if command == "GET" else 200, {}, b""),
    "web page": lambda *_: (200, {}, HTML),
    "nothing": lambda *_: (200, {}, b""),
    "torn": lambda _, body: (200, {"Content-Length": str(len(body))}, body[:-9]),
    "torn, length unknown": lambda _, body: (200, {}, body[:-9]),
    "other bytes": other_bytes,
    "length that is no number": lambda _, body: (200, {"Content-Length": "many"}, body[:-9]),
    "not gzip, yet announced": lambda *_: (200, {"Content-Encoding": "gzip"}, HTML),
}


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "data" / "cache"


@pytest.fixture
def unanswering():
    """Function that starts a mirror that takes requests and sends a few bytes again and again."""
    closing = threading.Event()

    def start(few):
        class Handler(BaseRequestHandler):
            def handle(self):
                with suppress(OSError):  # until the other side gives up
                    for _ in range(200):
                        self.request.sendall(few)
                        if closing.wait(0.05):
                            break

        server = stack.enter_context(ThreadingTCPServer(("127.0.0.1", 0), Handler))
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        stack.callback(server.shutdown)
        return f"http://127.0.0.1:{server.server_address[1]}/"

    with ExitStack() as stack:
        yield start
        closing.set()


@pytest.fixture
def refusing():
    """Address at which nobody listens: bound, so that nobody else takes it."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}/"


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def fetch(tiny_sha256, cache, tiny_arrays, mirrored_files):
    """Function that downloads, and checks what it returns and every file that it leaves."""

    def fetch(*addresses):
        assert_same(download(addresses, tiny_sha256, cache), tiny_arrays)
        assert contents(cache) == {**mirrored_files, ".lock": b""}

    return fetch


def test_first_mirror_is_good(fetch, mirror):
    first, second = mirror(), mirror()
    fetch(first.url, second.url)
    assert first.downloads() == sorted(NAMES.values())
    assert second.downloads() == []


def test_next_mirror_when_the_first_refuses(fetch, mirror, refusing):
    good = mirror()
    fetch(refusing, good.url)
    assert good.downloads() == sorted(NAMES.values())


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_next_mirror_when_the_first_is_bad(fetch, mirror, bad):
    good = mirror()
    fetch(mirror(bad).url, good.url)
    assert good.downloads() == sorted(NAMES.values())


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_all_mirrors_are_bad(mirror, tiny_sha256, cache, bad):
    urls = [mirror(bad).url, mirror(bad).url]
    with pytest.raises(DownloadError) as caught:
        download(urls, tiny_sha256, cache)
    assert contents(cache) == {".lock": b""}
    assert "\n" not in str(caught.value)
    assert all(url in str(caught.value) for url in urls)


def test_no_mirror_is_reached(refusing, tiny_sha256, cache):
    with pytest.raises(
        DownloadError, match=rf"{refusing}.*--params data_ingestion.source=<folder>"
    ):
        download([refusing], tiny_sha256, cache)


def test_no_mirrors(tiny_sha256, cache):
    with pytest.raises(DownloadError):
        download([], tiny_sha256, cache)


def test_mirror_that_does_not_know_head(fetch, mirror):
    only_get = mirror(lambda command, body: (200 if command == "GET" else 501, {}, body))
    fetch(only_get.url)
    assert only_get.downloads() == sorted(NAMES.values())


def test_mirror_that_declares_the_compression_as_its_own(mirror, tiny_sha256, cache, tiny_arrays):
    unpacked = mirror(lambda _, body: (200, {"Content-Encoding": "gzip"}, body))
    for _ in range(2):
        assert_same(download([unpacked.url], tiny_sha256, cache), tiny_arrays)
    assert unpacked.downloads() == sorted(NAMES.values())


def test_intact_cache_asks_nobody(fetch, mirror, cache, tiny_arrays, write_idx_folder):
    write_idx_folder(cache, tiny_arrays)
    unasked = mirror()
    fetch(unasked.url)
    assert unasked.asked == []


DAMAGED = {
    "torn": lambda body: body[:-9],
    "web page": lambda _: HTML,
    "empty": lambda _: b"",
    "other bytes": lambda body: other_bytes("GET", body)[2],
}


@pytest.mark.parametrize("key", FILES)
@pytest.mark.parametrize("damage", DAMAGED.values(), ids=DAMAGED)
def test_damaged_file_is_fetched_again(fetch, mirror, cache, mirrored_files, damage, key):
    cache.mkdir(parents=True)
    for name, body in mirrored_files.items():
        (cache / name).write_bytes(damage(body) if name == NAMES[key] else body)
    first = mirror()
    fetch(first.url)
    assert first.downloads() == [NAMES[key]]


def test_unverified_file_beside_is_not_read(tiny_sha256, cache, tiny_arrays, write_idx_folder):
    write_idx_folder(cache, tiny_arrays)
    other = tiny_arrays._replace(train_labels=tiny_arrays.train_labels[::-1])
    write_idx_folder(cache, other, suffix="")
    assert_same(download([], tiny_sha256, cache), tiny_arrays)


@pytest.mark.parametrize("few", [b"", b"H"], ids=["silent", "dripping"])
def test_mirrors_that_never_answer_cost_one_time_out(
    fetch, mirror, unanswering, tiny_sha256, cache, monkeypatch, few
):
    import pooch  # noqa: F401 (imported before the clock runs)

    monkeypatch.setattr(mirrors, "ANSWER_SECONDS", 0.3)
    silent = [unanswering(few) for _ in range(8)]
    started = time.monotonic()
    with pytest.raises(DownloadError):
        download(silent, tiny_sha256, cache)
    fetch(*silent, mirror().url)
    assert time.monotonic() - started < len(silent) * 0.3


def test_unanswered_request_does_not_outlive_its_time(unanswering, tiny_sha256, cache, monkeypatch):
    """Python ends only after the threads of its pools."""
    monkeypatch.setattr(mirrors, "ANSWER_SECONDS", 0.1)
    before = set(threading.enumerate())
    with pytest.raises(DownloadError):
        download([unanswering(b"")], tiny_sha256, cache)
    pool = [thread for thread in set(threading.enumerate()) - before if not thread.daemon]
    for thread in pool:
        thread.join(2)
    assert not any(thread.is_alive() for thread in pool)


def test_mirror_that_falls_silent(fetch, mirror, monkeypatch):
    monkeypatch.setattr(mirrors, "READ_SECONDS", 0.1)
    silent = mirror(lambda command, _: (200, {}, None if command == "GET" else b""))
    started = time.monotonic()
    fetch(silent.url, mirror().url)
    assert time.monotonic() - started < 5


DOWNLOAD = """
import json, pathlib, sys
import filelock, pooch, requests
from mnist_kedro.mirrors import download
mirror, sha256, cache = json.loads(sys.argv[1])
print("ready", flush=True)
print(download([mirror], sha256, pathlib.Path(cache)).train_labels.tolist())
"""


def test_two_processes_fetch_each_file_once(fetch, mirror, tiny_sha256, cache, tiny_arrays):
    cache.mkdir(parents=True)
    first = mirror()
    command = [sys.executable, "-c", DOWNLOAD, json.dumps([first.url, tiny_sha256, str(cache)])]
    with FileLock(cache / ".lock"):  # until both stand before it
        both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
        assert [process.stdout.readline() for process in both] == ["ready\n"] * 2
        time.sleep(0.1)
        assert first.asked == []
    outputs = [process.communicate(timeout=30)[0] for process in both]
    assert outputs == [f"{tiny_arrays.train_labels.tolist()}\n"] * 2
    assert first.downloads() == sorted(NAMES.values())
    fetch()
