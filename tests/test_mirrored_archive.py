"""Mirrors that have all files in one zip: fetched, verified one by one, and not kept."""

import io
import zipfile

import numpy as np
import pytest

from mnist_kedro.data import mirrors
from mnist_kedro.data.descriptions import FILES
from mnist_kedro.data.mirrors import DownloadError, download

NAME = "all.zip"
HTML = b"<!DOCTYPE html><html><title>Sign in to the network</title></html>"


@pytest.fixture(scope="module")
def archive(mirrored_files):
    """Bytes of a zip with all files in a folder, and one more."""
    return write_zip({**mirrored_files, "more.gz": HTML})


def write_zip(files):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as written:
        for name, body in files.items():
            written.writestr(f"gzip/{name}", body)
    return file.getvalue()


@pytest.fixture
def fetch(mirror, describe, tmp_path, tiny_arrays, mirrored_files):
    """Function that downloads from mirrors of these bytes, and checks all that is left.

    Returns what each mirror was asked for.
    """

    def fetch(*bodies):
        started = [mirror(files={NAME: body}) for body in bodies]
        described = describe([each.url for each in started], archive=NAME)
        arrays = download(described, tmp_path / "cache")
        for key in FILES:
            np.testing.assert_array_equal(getattr(arrays, key), getattr(tiny_arrays, key))
        assert contents(tmp_path / "cache") == {**mirrored_files, ".lock": b""}
        return [each.downloads() for each in started]

    return fetch


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_it_is_fetched_once_for_all_files(fetch, archive):
    assert fetch(archive) == [[NAME]]
    assert fetch(archive) == [[]]


def test_it_is_fetched_again_for_a_file_that_is_damaged(fetch, archive, tmp_path):
    fetch(archive)
    (tmp_path / "cache" / f"{FILES['test_labels']}.gz").write_bytes(b"torn")
    assert fetch(archive) == [[NAME]]


def test_next_mirror_when_the_first_has_no_good_archive(
    fetch, archive, mirrored_files, monkeypatch
):
    monkeypatch.setattr(mirrors, "MAX_ARCHIVE_BYTES", len(archive))
    monkeypatch.setattr(mirrors, "HEADER_BYTES", 0)
    images = f"{FILES['test_images']}.gz"
    bad = [
        b"",
        HTML,
        archive[:-100],
        archive + bytes(1000),
        write_zip({name: body for name, body in mirrored_files.items() if name != images}),
        write_zip({**mirrored_files, images: HTML}),
        write_zip({**mirrored_files, images: mirrored_files[f"{FILES['train_images']}.gz"]}),
    ]
    assert fetch(*bad, archive) == [[NAME]] * (len(bad) + 1)


def test_without_one_a_sentence_says_what_to_do(mirror, describe, tmp_path):
    with pytest.raises(DownloadError) as caught:
        download(describe([mirror(files={NAME: HTML}).url], archive=NAME), tmp_path)
    names = ", ".join(f"{name}.gz" for name in FILES.values())
    assert str(caught.value).endswith(
        f"or put {names} (all.zip has them) into a folder and add "
        f"--params data_ingestion.source=<folder>"
    )
    assert contents(tmp_path) == {".lock": b""}
