"""Folders, mirrors and embedded digits: four verified arrays, or an error that says why not."""

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

from mnist_kedro import sources
from mnist_kedro.idx import IdxFormatError
from mnist_kedro.sources import FILES, DownloadError, download, embedded_digits, load_folder

NAMES = {key: f"{name}.gz" for key, name in FILES.items()}
HTML = b"<!DOCTYPE html><html><title>Sign in to the network</title></html>"


def assert_same(found, expected):
    for key in FILES:
        np.testing.assert_array_equal(getattr(found, key), getattr(expected, key), err_msg=key)


# --- folders


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("infix", ["-idx", ".idx"])
def test_load_folder(tmp_path, tiny_arrays, write_idx_folder, infix, suffix):
    assert_same(load_folder(write_idx_folder(tmp_path, tiny_arrays, infix, suffix)), tiny_arrays)


def test_missing_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"'source' .*nowhere"):
        load_folder(tmp_path / "nowhere")


@pytest.mark.parametrize("key", FILES)
def test_missing_file(tmp_path, tiny_arrays, write_idx_folder, key):
    write_idx_folder(tmp_path, tiny_arrays)
    (tmp_path / NAMES[key]).unlink()
    with pytest.raises(FileNotFoundError, match=rf"{tmp_path}: .* {FILES[key]} "):
        load_folder(tmp_path)


# Part of the file, what is done to it, and what the error says was found.
SPOILT = {
    "fewer labels": ("labels", lambda labels: labels[:-1], "9 labels"),
    "fewer images": ("images", lambda images: images[:-1], "0 labels"),
    "label 10": ("labels", lambda labels: np.where(labels == 3, 10, labels), "10"),
    "label 255": ("labels", lambda labels: np.where(labels == 3, 255, labels), "255"),
    "a class without an image": ("labels", lambda labels: np.where(labels == 3, 2, labels), "3"),
    "all paper": ("images", np.zeros_like, "from 0 to 0"),
    "all ink": ("images", lambda images: np.full_like(images, 255), "from 255 to 255"),
    "all grey": ("images", lambda images: np.full_like(images, 128), "from 128 to 128"),
    "scaled to 0-1": ("images", lambda images: images // 255, "from 0 to 1"),
    "scaled to 0-16": ("images", lambda images: images / 255 * 16, "from 0 to 16"),
    "other size": ("images", lambda images: images[:, :27], "27, 28"),
}


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize(("part", "spoil", "found"), SPOILT.values(), ids=SPOILT)
def test_files_that_cannot_be_right(
    tmp_path, tiny_arrays, write_idx_folder, split, part, spoil, found
):
    key = f"{split}_{part}"
    spoilt = spoil(getattr(tiny_arrays, key)).astype(np.uint8)
    write_idx_folder(tmp_path, tiny_arrays._replace(**{key: spoilt}))
    with pytest.raises(IdxFormatError, match=rf"expected .* found .*{found}") as caught:
        load_folder(tmp_path)
    assert FILES[key] in str(caught.value)


# --- embedded digits


@pytest.fixture(scope="module")
def embedded():
    return embedded_digits()


def test_embedded_digits_have_the_format_of_mnist(embedded):
    from sklearn.datasets import load_digits

    assert [array.shape for array in embedded] == [(1437, 28, 28), (1437,), (360, 28, 28), (360,)]
    assert {array.dtype for array in embedded} == {np.dtype(np.uint8)}
    labels = np.concatenate([embedded.train_labels, embedded.test_labels])
    np.testing.assert_array_equal(labels, load_digits().target)
    assert_same(embedded_digits(), embedded)


def test_embedded_digits_fill_the_box_and_are_centred(embedded):
    from scipy.ndimage import center_of_mass
    from sklearn.datasets import load_digits

    images = np.concatenate([embedded.train_images, embedded.test_images])
    assert (images.min(), images.max()) == (0, 255)
    boxes, original_boxes = map(ink_boxes, (images, load_digits().images))
    shapes, original_shapes = (np.array([b.shape for b in bs]) for bs in (boxes, original_boxes))
    assert set(shapes.max(axis=1)) == {20}
    scale = 20 / original_shapes.max(axis=1, keepdims=True)
    np.testing.assert_allclose(shapes, original_shapes * scale, atol=0.51)
    np.testing.assert_allclose([center_of_mass(image) for image in images], 13.5, atol=1)
    # Neither mirrored nor transposed: the ink lies where it lay in its box.
    lies = (np.array([center_of_mass(box) for box in boxes]) + 0.5) / shapes
    lay = (np.array([center_of_mass(box) for box in original_boxes]) + 0.5) / original_shapes
    np.testing.assert_allclose(lies, lay, atol=0.03)


def ink_boxes(images):
    inked = [(image, *np.nonzero(image)) for image in images]
    return [image[y.min() : y.max() + 1, x.min() : x.max() + 1] for image, y, x in inked]


def test_embedded_digits_can_be_learned(embedded):
    from sklearn.neighbors import KNeighborsClassifier

    train_images, train_labels, test_images, test_labels = embedded
    model = KNeighborsClassifier(1).fit(train_images.reshape(-1, 784) / 255, train_labels)
    assert model.score(test_images.reshape(-1, 784) / 255, test_labels) > 0.9


# --- mirrors


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
    return tmp_path / "cache"


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

    def fetch(*mirrors):
        assert_same(download(mirrors, tiny_sha256, cache), tiny_arrays)
        assert contents(cache) == {**mirrored_files, ".lock": b""}

    return fetch


def test_first_mirror_is_good(fetch, mirror):
    first, second = mirror(), mirror()
    fetch(first.url, second.url)
    assert first.downloads() == sorted(NAMES.values())
    assert second.downloads() == []


def test_next_mirror_when_the_first_refuses(fetch, mirror, refusing):
    fetch(refusing, mirror().url)


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_next_mirror_when_the_first_is_bad(fetch, mirror, bad):
    fetch(mirror(bad).url, mirror().url)


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_all_mirrors_are_bad(mirror, tiny_sha256, cache, bad):
    urls = [mirror(bad).url, mirror(bad).url]
    with pytest.raises(DownloadError) as caught:
        download(urls, tiny_sha256, cache)
    assert contents(cache) == {".lock": b""}
    assert "\n" not in str(caught.value)
    assert all(url in str(caught.value) for url in urls)


def test_no_mirror_is_reached(refusing, tiny_sha256, cache):
    with pytest.raises(DownloadError, match=rf"{refusing}.*'source'"):
        download([refusing], tiny_sha256, cache)


def test_no_mirrors(tiny_sha256, cache):
    with pytest.raises(DownloadError):
        download([], tiny_sha256, cache)


def test_mirror_that_does_not_know_head(fetch, mirror):
    fetch(mirror(lambda command, body: (200 if command == "GET" else 501, {}, body)).url)


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
    cache.mkdir()
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

    monkeypatch.setattr(sources, "MIRROR_SECONDS", 0.3)
    mirrors = [unanswering(few) for _ in range(8)]
    started = time.monotonic()
    with pytest.raises(DownloadError):
        download(mirrors, tiny_sha256, cache)
    fetch(*mirrors, mirror().url)
    assert time.monotonic() - started < len(mirrors) * 0.3


def test_unanswered_request_does_not_outlive_its_time(unanswering, tiny_sha256, cache, monkeypatch):
    """Python ends only after the threads of its pools."""
    monkeypatch.setattr(sources, "MIRROR_SECONDS", 0.1)
    before = set(threading.enumerate())
    with pytest.raises(DownloadError):
        download([unanswering(b"")], tiny_sha256, cache)
    pool = [thread for thread in set(threading.enumerate()) - before if not thread.daemon]
    for thread in pool:
        thread.join(2)
    assert not any(thread.is_alive() for thread in pool)


def test_mirror_that_falls_silent(fetch, mirror, monkeypatch):
    monkeypatch.setattr(sources, "READ_SECONDS", 0.1)
    silent = mirror(lambda command, _: (200, {}, None if command == "GET" else b""))
    started = time.monotonic()
    fetch(silent.url, mirror().url)
    assert time.monotonic() - started < 5


DOWNLOAD = """
import json, pathlib, sys
import filelock, pooch, requests
from mnist_kedro.sources import download
mirror, sha256, cache = json.loads(sys.argv[1])
print("ready", flush=True)
print(download([mirror], sha256, pathlib.Path(cache)).train_labels.tolist())
"""


def test_two_processes_fetch_each_file_once(fetch, mirror, tiny_sha256, cache, tiny_arrays):
    cache.mkdir()
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
