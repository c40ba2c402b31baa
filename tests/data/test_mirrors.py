"""The web: from a bad mirror to the next, and nothing unverified is kept."""

import gzip
import io
import json
import logging
import socket
import struct
import subprocess
import sys
import time
import traceback
import zipfile
from errno import ECONNREFUSED

import numpy as np
import pytest
from filelock import FileLock

from mnist_kedro.data import mirrors
from mnist_kedro.data.dataset_spec import FILES
from mnist_kedro.data.mirrors import DownloadError, download
from mnist_kedro.parameters import UserError

NAMES = {key: f"{name}.gz" for key, name in FILES.items()}
HTML = b"<!DOCTYPE html><html><title>Sign in to the network</title></html>"
ARCHIVE = "all.zip"


def only_get(answer):
    """Announce each file, and answer so when it is wanted."""
    return lambda command, body: answer(command, body) if command == "GET" else (200, {}, b"")


def other_bytes(body):
    raw = gzip.decompress(body)
    return gzip.compress(raw[:-1] + bytes([raw[-1] ^ 1]), mtime=0)


def reset(handler):
    handler.wfile.write(b"\x1f\x8b")
    at_once = struct.pack("ii", 1, 0)
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
    handler.connection.close()


def half_then_silent(_, body):
    def write(handler):
        handler.wfile.write(body[: len(body) // 2])
        handler.server.closing.wait()

    return 200, {"Content-Length": str(len(body))}, write


BAD = {
    "forbidden": lambda *_: (403, {}, HTML),
    "missing, yet announced": only_get(lambda *_: (404, {}, HTML)),
    "web page": lambda *_: (200, {}, HTML),
    "nothing": lambda *_: (200, {}, b""),
    "torn": lambda _, body: (200, {"Content-Length": str(len(body))}, body[:-9]),
    "torn, length unknown": lambda _, body: (200, {}, body[:-9]),
    "not gzip, yet announced": lambda *_: (200, {"Content-Encoding": "gzip"}, HTML),
    "other bytes": lambda _, body: (200, {}, other_bytes(body)),
    "reset": only_get(lambda *_: (200, {"Content-Length": "99"}, reset)),
    "silent half-way": half_then_silent,
    "redirect to itself": lambda *_: (302, {"Location": "#again"}, HTML),
}


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "data" / "cache"


@pytest.fixture
def refusing():
    """Address at which nobody listens: bound, so that nobody else takes it."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}/"


@pytest.fixture
def deaf():
    """Address that takes requests and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def assert_same(found, expected):
    for key in FILES:
        np.testing.assert_array_equal(found[key], getattr(expected, key), err_msg=key)


@pytest.fixture
def fetch(describe, cache, tiny_arrays, mirrored_files, monkeypatch):
    """Function that downloads, and checks what it returns and every file that it leaves."""
    monkeypatch.setattr(mirrors, "READ_SECONDS", 0.3)

    def fetch(*addresses, **changes):
        assert_same(download(describe(addresses, **changes), cache), tiny_arrays)
        assert contents(cache) == {**mirrored_files, ".lock": b""}

    return fetch


def test_the_first_mirror_is_good(fetch, mirror, capfd):
    first, second = mirror(), mirror()
    fetch(first.url, second.url)
    assert first.downloads() == sorted(NAMES.values())
    assert second.downloads() == []
    assert capfd.readouterr().err == ""  # no progress bar where nobody watches


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_the_next_mirror_is_tried_when_the_first_is_bad(fetch, mirror, describe, cache, bad):
    first, good = mirror(bad), mirror()
    with pytest.raises(DownloadError) as caught:
        download(describe([first.url]), cache)
    assert contents(cache) == {".lock": b""}
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000
    assert f"{first.url}: " in str(caught.value)
    fetch(first.url, good.url)
    assert good.downloads() == sorted(NAMES.values())
    assert set(first.downloads()) <= {NAMES["train_images"]}  # asked for nothing more


def test_the_next_mirror_gives_only_what_the_first_lacks(fetch, mirror, mirrored_files):
    labels = NAMES["train_labels"]
    first, second = mirror(files=mirrored_files | {labels: HTML}), mirror()
    fetch(first.url, second.url)
    assert second.downloads() == sorted(set(NAMES.values()) - {NAMES["train_images"]})


def test_without_a_network_a_sentence_says_what_to_do(refusing, describe, cache):
    with pytest.raises(DownloadError) as caught:
        download(describe([refusing]), cache)
    assert str(caught.value) == (
        f"expected MNIST from one of 1 mirrors, found none that has it ({refusing}: "
        f"[Errno {ECONNREFUSED}] Connection refused): check the network, or put "
        f"{', '.join(NAMES.values())} into a folder and add --params data_ingestion.source=<folder>"
    )
    assert isinstance(caught.value, UserError)


def test_mirrors_that_never_answer_cost_one_time_out(fetch, mirror, deaf, monkeypatch):
    import requests  # noqa: F401 (imported before the clock runs)

    monkeypatch.setattr(mirrors, "ANSWER_SECONDS", 0.5)
    silent = [f"{deaf}{number}/" for number in range(8)]
    started = time.monotonic()
    fetch(*silent, mirror().url)
    assert time.monotonic() - started < 8 * 0.5


def test_a_mirror_that_does_not_know_head_is_used(fetch, mirror):
    headless = mirror(lambda command, body: (200 if command == "GET" else 501, {}, body))
    fetch(headless.url)
    assert headless.downloads() == sorted(NAMES.values())


def test_a_mirror_that_declares_the_compression_as_its_own_is_used(
    mirror, describe, cache, tiny_arrays
):
    unpacked = mirror(lambda _, body: (200, {"Content-Encoding": "gzip"}, body))
    for _ in range(2):
        assert_same(download(describe([unpacked.url]), cache), tiny_arrays)
    assert unpacked.downloads() == sorted(NAMES.values())


def test_files_that_are_there_are_not_downloaded(
    fetch, mirror, cache, tiny_arrays, write_idx_folder
):
    write_idx_folder(cache, tiny_arrays)
    unasked = mirror()
    fetch(unasked.url)
    assert unasked.asked == []


DAMAGE = {
    "torn": lambda body: body[:-9],
    "other bytes": other_bytes,
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_file_is_downloaded_again(fetch, mirror, cache, mirrored_files, damage):
    cache.mkdir(parents=True)
    for name, body in mirrored_files.items():
        (cache / name).write_bytes(damage(body) if name == NAMES["test_labels"] else body)
    (cache / "unverified").mkdir()  # left by a process that was killed
    (cache / "unverified" / NAMES["test_labels"]).write_bytes(HTML)
    first = mirror()
    fetch(first.url)
    assert first.downloads() == [NAMES["test_labels"]]


@pytest.mark.parametrize("bad", [None, "forbidden", "torn", "redirect to itself"])
def test_passwords_are_in_no_log_and_no_error(mirror, refusing, describe, cache, caplog, bad):
    address = mirror(BAD[bad]).url if bad else refusing
    spec = describe([address.replace("//", "//someone:s%2Fecret@")])
    with caplog.at_level(logging.DEBUG), pytest.raises(DownloadError) as caught:
        download(spec, cache)
    shown = caplog.text + "".join(traceback.format_exception(caught.value))
    assert "http://***@127.0.0.1" in shown
    assert "someone" not in shown
    assert "ecret" not in shown


DOWNLOAD = """
import json, pathlib, sys
from mnist_kedro.data.dataset_spec import DatasetSpec
from mnist_kedro.data.mirrors import download
spec, cache = json.loads(sys.argv[1])
print(download(DatasetSpec.model_validate(spec), pathlib.Path(cache))["train_labels"].tolist())
"""


def test_two_processes_download_each_file_once(fetch, mirror, describe, cache, tiny_arrays):
    cache.mkdir(parents=True)
    first = mirror()
    arguments = json.dumps([describe([first.url]).model_dump(), str(cache)])
    with FileLock(cache / ".lock"):
        both = [
            subprocess.Popen(
                [sys.executable, "-c", DOWNLOAD, arguments], stdout=subprocess.PIPE, text=True
            )
            for _ in range(2)
        ]
    outputs = [process.communicate(timeout=60)[0] for process in both]
    assert outputs == [f"{tiny_arrays.train_labels.tolist()}\n"] * 2
    assert first.downloads() == sorted(NAMES.values())
    fetch()


# --- mirrors that have all files in one archive


def write_zip(files):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as written:
        for name, body in files.items():
            written.writestr(f"gzip/{name}", body)
    return file.getvalue()


@pytest.fixture
def fetch_archive(fetch, mirror):
    """Function that downloads from mirrors of these bytes; returns what each was asked for."""

    def fetch_archive(*bodies):
        started = [mirror(files={ARCHIVE: body}) for body in bodies]
        fetch(*(each.url for each in started), archive=ARCHIVE)
        return [each.downloads() for each in started]

    return fetch_archive


def test_an_archive_is_downloaded_once_for_all_files(fetch_archive, mirrored_files, cache):
    archive = write_zip({**mirrored_files, "more.gz": HTML})
    assert fetch_archive(archive) == [[ARCHIVE]]
    assert fetch_archive(archive) == [[]]
    (cache / NAMES["test_labels"]).write_bytes(b"torn")
    assert fetch_archive(archive) == [[ARCHIVE]]


def test_the_next_mirror_is_tried_when_the_first_has_no_good_archive(fetch_archive, mirrored_files):
    archive, images = write_zip(mirrored_files), NAMES["train_images"]
    middle = archive.index(mirrored_files[images]) + 500
    bad = [
        HTML,
        archive[:middle] + b"damage" + archive[middle + 6 :],
        write_zip({name: body for name, body in mirrored_files.items() if name != images}),
        write_zip({**mirrored_files, images: mirrored_files[NAMES["test_images"]]}),
    ]
    assert fetch_archive(*bad, archive) == [[ARCHIVE]] * (len(bad) + 1)
