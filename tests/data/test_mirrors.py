"""The web: every bad mirror falls through to the next, and nothing wrong is ever kept."""

import json
import logging
import socket
import subprocess
import sys
import threading
import time
import traceback
import tracemalloc
from contextlib import ExitStack, suppress
from socketserver import BaseRequestHandler, ThreadingTCPServer

import numpy as np
import pytest
from filelock import FileLock

from mnist_kedro.data import web
from mnist_kedro.data.descriptions import FILES
from mnist_kedro.data.mirrors import DownloadError, download
from tests.hostile import BAD, HTML, SLOW, other_bytes

pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")

SOME_BYTES = 2**24
NAMES = {key: f"{name}.gz" for key, name in FILES.items()}


def assert_same(found, expected):
    for key in FILES:
        np.testing.assert_array_equal(getattr(found, key), getattr(expected, key), err_msg=key)


@pytest.fixture
def short_times(monkeypatch):
    """Let downloads be given up after so many seconds."""
    import requests  # noqa: F401 (imported before the clock runs)

    monkeypatch.setattr(web, "READ_SECONDS", 0.5)
    return web.READ_SECONDS


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
def fetch(describe, cache, tiny_arrays, mirrored_files):
    """Function that downloads, and checks what it returns and every file that it leaves."""

    def fetch(*addresses):
        assert_same(download(describe(addresses), cache), tiny_arrays)
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
def test_next_mirror_when_the_first_is_bad(fetch, mirror, short_times, bad):
    first, good = mirror(bad), mirror()
    fetch(first.url, good.url)
    assert good.downloads() == sorted(NAMES.values())
    assert first.sent < 2**29  # what sockets hold: 31 of them for each file, if it redirects


BOMBS = {name: bad for name, bad in BAD.items() if "bomb" in name}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_bombs_take_no_memory(fetch, mirror, bomb):
    first, good = mirror(bomb), mirror()
    tracemalloc.start()
    try:
        fetch(first.url, good.url)
        assert tracemalloc.get_traced_memory()[1] < SOME_BYTES
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("slow", SLOW.values(), ids=SLOW)
def test_next_mirror_when_the_first_is_slow_which_is_asked_for_nothing_more(
    fetch, mirror, short_times, slow
):
    first, good = mirror(slow), mirror()
    started = time.monotonic()
    fetch(first.url, good.url)
    assert time.monotonic() - started < 4 * short_times
    assert len(first.downloads()) == 1
    assert good.downloads() == sorted(NAMES.values())


@pytest.mark.parametrize("bad", [*BAD.values(), SLOW["dripping"]], ids=[*BAD, "dripping"])
def test_all_mirrors_are_bad(mirror, describe, cache, short_times, bad):
    urls = [mirror(bad).url, mirror(bad).url]
    with pytest.raises(DownloadError) as caught:
        download(describe(urls), cache)
    assert contents(cache) == {".lock": b""}
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert len(sentence) < 1000
    assert all(url in sentence for url in urls)


def test_no_mirror_is_reached(refusing, describe, cache):
    with pytest.raises(
        DownloadError, match=rf"{refusing}.*--params data_ingestion.source=<folder>"
    ):
        download(describe([refusing]), cache)


def test_no_mirrors(describe, cache):
    with pytest.raises(DownloadError):
        download(describe([]), cache)


def test_mirror_that_does_not_know_head(fetch, mirror):
    get_only = mirror(lambda command, body: (200 if command == "GET" else 501, {}, body))
    fetch(get_only.url)
    assert get_only.downloads() == sorted(NAMES.values())


def test_mirror_that_declares_the_compression_as_its_own(mirror, describe, cache, tiny_arrays):
    unpacked = mirror(lambda _, body: (200, {"Content-Encoding": "gzip"}, body))
    for _ in range(2):
        assert_same(download(describe([unpacked.url]), cache), tiny_arrays)
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


def test_unverified_file_beside_is_not_read(describe, cache, tiny_arrays, write_idx_folder):
    write_idx_folder(cache, tiny_arrays)
    other = tiny_arrays._replace(train_labels=tiny_arrays.train_labels[::-1])
    write_idx_folder(cache, other, suffix="")
    assert_same(download(describe([]), cache), tiny_arrays)


@pytest.mark.parametrize("few", [b"", b"H"], ids=["silent", "dripping"])
def test_mirrors_that_never_answer_cost_one_time_out(
    fetch, mirror, unanswering, describe, cache, monkeypatch, few
):
    import requests  # noqa: F401 (imported before the clock runs)

    monkeypatch.setattr(web, "ANSWER_SECONDS", 0.3)
    silent = [unanswering(few) for _ in range(8)]
    started = time.monotonic()
    with pytest.raises(DownloadError):
        download(describe(silent), cache)
    fetch(*silent, mirror().url)
    assert time.monotonic() - started < len(silent) * 0.3


def test_redirect_to_a_good_mirror(fetch, mirror, mirrored_files):
    good = mirror()
    names = {body: name for name, body in mirrored_files.items()}
    fetch(mirror(lambda _, body: (302, {"Location": good.url + names[body]}, HTML)).url)
    assert good.downloads() == sorted(NAMES.values())


TOLD = {
    "good": lambda _, body: (200, {}, body),
    "silent": SLOW["silent"],
    **{name: BAD[name] for name in ("forbidden", "web page", "torn", "not HTTP")},
    **{name: bad for name, bad in BAD.items() if "redirect" in name},
}


@pytest.mark.parametrize("answer", TOLD.values(), ids=TOLD)
def test_user_and_password_are_in_no_log_and_no_error(
    mirror, describe, cache, short_times, caplog, answer
):
    address = mirror(answer).url.replace("//", "//someone:s%2Fecret@")
    error = None
    with caplog.at_level(logging.DEBUG):
        try:
            download(describe([address]), cache)
        except DownloadError as raised:
            error = raised
    shown = caplog.text + "".join(traceback.format_exception(error))
    assert "http://***@127.0.0.1" in shown
    assert "someone" not in shown
    assert "ecret" not in shown


def test_user_and_password_are_in_no_error_offline(refusing, describe, cache):
    addresses = [refusing.replace("//", "//someone:secret@"), "https://someone:s/ecret@nowhere/"]
    with pytest.raises(DownloadError) as caught:
        download(describe(addresses), cache)
    shown = "".join(traceback.format_exception(caught.value))
    assert f"({refusing.replace('//', '//***@')}, https://***@nowhere/)" in shown
    assert "ecret" not in shown


DOWNLOAD = """
import json, pathlib, sys
import filelock, requests
from mnist_kedro.data import web
from mnist_kedro.data.descriptions import Description
from mnist_kedro.data.mirrors import download
description, cache, web.ANSWER_SECONDS, web.READ_SECONDS = json.loads(sys.argv[1])
print("ready", flush=True)
description = Description.model_validate(description)
print(download(description, pathlib.Path(cache)).train_labels.tolist())
"""


@pytest.fixture
def start(describe, cache):
    """Function that starts a process that downloads, and waits until it is about to."""
    with ExitStack() as stack:

        def start(*addresses, seconds=20):
            arguments = json.dumps([describe(addresses).model_dump(), str(cache), seconds, seconds])
            process = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", DOWNLOAD, arguments],
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
            stack.callback(process.kill)
            assert process.stdout.readline() == "ready\n"
            return process

        yield start


def test_two_processes_fetch_each_file_once(fetch, mirror, start, cache, tiny_arrays):
    cache.mkdir(parents=True)
    first = mirror()
    with FileLock(cache / ".lock"):  # until both stand before it
        both = [start(first.url) for _ in range(2)]
        time.sleep(0.1)
        assert first.asked == []
    outputs = [process.communicate(timeout=30)[0] for process in both]
    assert outputs == [f"{tiny_arrays.train_labels.tolist()}\n"] * 2
    assert first.downloads() == sorted(NAMES.values())
    fetch()


def test_python_ends_while_mirrors_go_on(mirror, unanswering, start):
    slow = mirror(SLOW["dripping into the headers"])
    process = start(unanswering(b"H"), slow.url, seconds=0.5)
    _, errors = process.communicate(timeout=5)
    assert f"DownloadError: no mirror had a good {NAMES['train_images']}: {slow.url}: " in errors


def test_what_a_killed_process_left_is_removed(
    fetch, mirror, start, cache, tiny_arrays, write_idx_folder
):
    process = start(mirror(SLOW["silent half-way"]).url)
    part = cache / f"{FILES['train_images']}.part"
    deadline = time.monotonic() + 5
    while not part.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert set(contents(cache)) == {".lock", part.name}
    write_idx_folder(cache, tiny_arrays)
    fetch()
