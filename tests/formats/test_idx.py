"""IDX files: every whole one is read exactly, everything else is one IdxFormatError."""

import gzip
import hashlib
import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from mnist_kedro.formats import idx
from mnist_kedro.formats.idx import (
    INTEGER,
    IdxFormatError,
    idx_header,
    idx_sha256,
    read_idx,
)

ITEM = (3, 4)
HEADER = bytes.fromhex("00000803 00000002 00000003 00000004")
DATA = bytes(range(100, 124))
RAW = HEADER + DATA
GZ = gzip.compress(RAW, mtime=0)
MAX = 2**32 - 1
HTML = b"<!DOCTYPE html><html><title>Sign in to the network</title></html>"

# What a file holds, and what its error says was found.
MALFORMED = {
    "empty": (b"", "an empty file"),
    "little-endian magic number": (b"\x03\x08\x00\x00" + RAW[4:], "03 08 00 00"),
    "signed bytes": (b"\0\0\x09\x03" + RAW[4:], "00 00 09 03"),
    "labels": (b"\0\0\x08\x01\0\0\0\x18" + DATA, "00 00 08 01"),
    "transposed items": (idx_header((2, 4, 3)) + DATA, "(2, 4, 3)"),
    "zero items": (idx_header((0, *ITEM)), "(0, 3, 4)"),
    "one byte too many": (RAW + b"\0", "trailing bytes"),
    "header that claims terabytes": (idx_header((MAX, *ITEM)) + DATA, f"{MAX}, 3, 4"),
    "web page": (HTML, "3c 21 44 4f"),
}


def saved(folder, content, name="file"):
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("name", ["images", "images.gz"])
@pytest.mark.parametrize("content", [RAW, GZ], ids=["raw", "gzip"])
def test_content_and_not_the_name_says_how_to_read(tmp_path, content, name):
    array = read_idx(saved(tmp_path, content, name), ITEM)
    assert array.dtype == np.uint8
    assert array.shape == (2, 3, 4)
    assert array.tobytes() == DATA
    with pytest.raises(ValueError, match="read-only"):
        array[0, 0, 0] = 1


def test_raw_file_is_a_memory_map(tmp_path):
    path = saved(tmp_path, RAW)
    array = read_idx(path, ITEM)
    with path.open("r+b") as file:
        file.seek(len(HEADER))
        file.write(b"\x07")
    assert array[0, 0, 0] == 7


@given(array=arrays(np.uint8, array_shapes(min_dims=1, max_dims=3)), compress=st.booleans())
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_round_trip_and_checksum(tmp_path, array, compress):
    content = idx_header(array.shape) + array.tobytes()
    path = saved(tmp_path, gzip.compress(content) if compress else content)
    np.testing.assert_array_equal(read_idx(path, array.shape[1:]), array)
    assert idx_sha256(array) == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("compress", [False, True], ids=["raw", "gzip"])
@pytest.mark.parametrize(("content", "found"), MALFORMED.values(), ids=MALFORMED)
def test_malformed_file_is_named_with_expected_and_found(tmp_path, content, found, compress):
    path = saved(tmp_path, gzip.compress(content) if compress else content, "images.gz")
    with pytest.raises(IdxFormatError) as caught:
        read_idx(path, ITEM)
    before, _, after = str(caught.value).partition(" expected ")
    assert before == f"{path}:"
    assert found in after


@pytest.mark.parametrize("content", [RAW, GZ], ids=["raw", "gzip"])
def test_every_truncation_is_an_error(tmp_path, content):
    for length in range(len(content)):
        path = saved(tmp_path, content[:length])
        with pytest.raises(IdxFormatError, match=r"expected .* found"):
            read_idx(path, ITEM)


DAMAGED_GZIP = {
    "checksum": GZ[:-8] + bytes([GZ[-8] ^ 1]) + GZ[-7:],
    "data": GZ[:20] + bytes([GZ[20] ^ 0xFF]) + GZ[21:],
    "second file after": GZ + GZ,
    "web page with gzip's magic number": GZ[:2] + HTML,
}


@pytest.mark.parametrize("content", DAMAGED_GZIP.values(), ids=DAMAGED_GZIP)
def test_damaged_gzip_is_an_error(tmp_path, content):
    path = saved(tmp_path, content)
    with pytest.raises(IdxFormatError, match=r"expected .* found") as caught:
        read_idx(path, ITEM)
    assert str(path) in str(caught.value)


LIES = {
    "raw, claims terabytes": lambda: idx_header((MAX, 28, 28)),
    "gzip, claims terabytes": lambda: gzip.compress(idx_header((MAX, 28, 28))),
    "gzip bomb": lambda: gzip.compress(idx_header((1, 28, 28)) + bytes(2**24), 1),
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_memory_is_bounded(tmp_path, lie):
    path = saved(tmp_path, lie())
    tracemalloc.start()
    try:
        with pytest.raises(IdxFormatError):
            read_idx(path, (28, 28))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2**20


def test_larger_than_memory_is_for_raw_files(tmp_path, monkeypatch):
    monkeypatch.setattr(idx, "MAX_UNPACKED_BYTES", len(DATA) - 1)
    assert read_idx(saved(tmp_path, RAW), ITEM).tobytes() == DATA
    with pytest.raises(IdxFormatError, match="unpack the file if this is true"):
        read_idx(saved(tmp_path, GZ), ITEM)


def test_a_raw_file_is_hashed_in_parts(tmp_path, monkeypatch):
    """NumPy reports to `tracemalloc` what it takes; mapped files do not count."""
    monkeypatch.setattr(idx, "PART", 2**16)
    images = np.random.default_rng(0).integers(0, 256, (2000, 28, 28), dtype=np.uint8)
    array = read_idx(saved(tmp_path, idx_header(images.shape) + images.tobytes()), (28, 28))
    tracemalloc.start()
    assert idx_sha256(array) == idx_sha256(images)
    assert idx_sha256(array.transpose(0, 2, 1)) == idx_sha256(images.transpose(0, 2, 1))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**18


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["raw", "gzip"])
def test_32_bit_integers(tmp_path, pack):
    numbers = np.array([[1, -2, 3], [2**31 - 1, 0, 70_000]])
    header = bytes.fromhex("00000c02 00000002 00000003")
    path = tmp_path / "numbers"
    path.write_bytes(pack(header + numbers.astype(">i4").tobytes()))
    found = read_idx(path, (3,), INTEGER)
    np.testing.assert_array_equal(found, numbers)
    raw = header + numbers.astype(">i4").tobytes()
    assert idx_sha256(found) == hashlib.sha256(raw).hexdigest()
    with pytest.raises(IdxFormatError, match="00 00 08 02 .2 dimensions.*found 00 00 0c 02"):
        read_idx(path, (3,))
    path.write_bytes(pack(header + bytes(23)))
    with pytest.raises(IdxFormatError, match="expected 24 bytes of data .* found 23"):
        read_idx(path, (3,), INTEGER)
