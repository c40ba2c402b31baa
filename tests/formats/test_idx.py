"""IDX files: every whole one is read exactly, everything else is one IdxFormatError."""

import gzip
import hashlib
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from mnist_kedro.formats import idx
from mnist_kedro.formats.idx import (
    INTEGER,
    IdxFormatError,
    idx_header,
    idx_sha256,
    largest_size,
    read_idx,
)

ITEM = (3, 4)
HEADER = bytes.fromhex("00000803 00000002 00000003 00000004")
DATA = bytes(range(100, 124))
RAW = HEADER + DATA
GZ = gzip.compress(RAW, mtime=0)
REFUSED = "expected "
MAX = 2**32 - 1
HTML = b"<!DOCTYPE html><html><title>Sign in to the network</title></html>"

# What a file holds, and what its error says was found.
MALFORMED = {
    "empty": (b"", "an empty file"),
    "cut in the magic number": (RAW[:3], "00 00 08"),
    "wrong magic number": (b"\x89PNG" + RAW[4:], "89 50 4e 47"),
    "little-endian magic number": (b"\x03\x08\x00\x00" + RAW[4:], "03 08 00 00"),
    "signed bytes": (b"\0\0\x09\x03" + RAW[4:], "00 00 09 03"),
    "labels": (b"\0\0\x08\x01\0\0\0\x18" + DATA, "00 00 08 01"),
    "one dimension too many": (b"\0\0\x08\x04" + RAW[4:], "00 00 08 04"),
    "no sizes": (RAW[:4], "found 0"),
    "cut in the sizes": (RAW[:15], "found 11"),
    "transposed items": (idx_header((2, 4, 3)) + DATA, "(2, 4, 3)"),
    "zero items": (idx_header((0, *ITEM)), "(0, 3, 4)"),
    "no data": (HEADER, "found 0"),
    "one byte missing": (RAW[:-1], "found 23"),
    "one byte too many": (RAW + b"\0", "trailing bytes"),
    "header that claims terabytes": (idx_header((MAX, *ITEM)) + DATA, f"{MAX}, 3, 4"),
    "web page": (HTML, "3c 21 44 4f"),
}


def saved(folder, content, name="file"):
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("idx")


def test_header_bytes():
    assert idx_header((2, *ITEM)) == HEADER
    assert idx_header((60_000,)) == b"\x00\x00\x08\x01\x00\x00\xea\x60"


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
@settings(deadline=None)
def test_round_trip_and_checksum(scratch, array, compress):
    content = idx_header(array.shape) + array.tobytes()
    path = saved(scratch, gzip.compress(content) if compress else content)
    np.testing.assert_array_equal(read_idx(path, array.shape[1:]), array)
    assert idx_sha256(array) == hashlib.sha256(content).hexdigest()


def test_checksum_is_of_c_order():
    array = np.arange(12, dtype=np.uint8).reshape(3, 4)
    assert idx_sha256(array.T) == idx_sha256(array.T.copy()) != idx_sha256(array)


@pytest.mark.parametrize("compress", [False, True], ids=["raw", "gzip"])
@pytest.mark.parametrize(("content", "found"), MALFORMED.values(), ids=MALFORMED)
def test_malformed_file_is_named_with_expected_and_found(tmp_path, content, found, compress):
    path = saved(tmp_path, gzip.compress(content) if compress else content, "images.gz")
    with pytest.raises(IdxFormatError) as caught:
        read_idx(path, ITEM)
    before, expected, after = str(caught.value).partition(" expected ")
    assert before == f"{path}:"
    assert expected
    assert "found " in after
    assert found in after
    assert "\n" not in after


@pytest.mark.parametrize("content", [RAW, GZ], ids=["raw", "gzip"])
def test_every_truncation_is_an_error(tmp_path, content):
    for length in range(len(content)):
        path = saved(tmp_path, content[:length])
        with pytest.raises(IdxFormatError, match=r"expected .* found"):
            read_idx(path, ITEM)


DAMAGED_GZIP = {
    "checksum": GZ[:-8] + bytes([GZ[-8] ^ 1]) + GZ[-7:],
    "length": GZ[:-1] + bytes([GZ[-1] ^ 1]),
    "method": GZ[:2] + b"\x07" + GZ[3:],
    "data": GZ[:20] + bytes([GZ[20] ^ 0xFF]) + GZ[21:],
    "garbage after": GZ + b"garbage",
    "second file after": GZ + GZ,
    "web page with gzip's magic number": GZ[:2] + HTML,
}


@pytest.mark.parametrize("content", DAMAGED_GZIP.values(), ids=DAMAGED_GZIP)
def test_damaged_gzip_is_an_error(tmp_path, content):
    path = saved(tmp_path, content)
    with pytest.raises(IdxFormatError, match=r"expected .* found") as caught:
        read_idx(path, ITEM)
    assert str(path) in str(caught.value)


def test_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_idx(tmp_path / "nothing", ITEM)


LIES = {
    "raw, claims terabytes": lambda: idx_header((MAX, 28, 28)),
    "gzip, claims terabytes": lambda: gzip.compress(idx_header((MAX, 28, 28))),
    "gzip, claims what its size forbids": lambda: gzip.compress(idx_header((1000, 28, 28))),
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


def test_most_compressible_images_are_read(tmp_path):
    images = np.zeros((8000, 28, 28), dtype=np.uint8)
    path = saved(tmp_path, gzip.compress(idx_header(images.shape) + images.tobytes()))
    assert read_idx(path, (28, 28)).nbytes > 1000 * path.stat().st_size


def test_larger_than_memory_is_for_raw_files(tmp_path, monkeypatch):
    monkeypatch.setattr(idx, "MAX_UNPACKED_BYTES", len(DATA) - 1)
    assert read_idx(saved(tmp_path, RAW), ITEM).tobytes() == DATA
    with pytest.raises(IdxFormatError, match="unpack the file first"):
        read_idx(saved(tmp_path, GZ), ITEM)


def read_again(folder, content):
    """Return the raw file that holds what was read of `content`, or how its refusal begins."""
    path = saved(folder, content)
    try:
        array = read_idx(path, ITEM)
    except IdxFormatError as error:
        return REFUSED if str(error).startswith(f"{path}: {REFUSED}") else str(error)
    return idx_header((len(array), *ITEM)) + array.tobytes()


def unpacked(content):
    return gzip.decompress(content) if content[:2] == GZ[:2] else content


@given(
    prefix=st.sampled_from([b"", HEADER[:4], HEADER, GZ[:2], GZ[:10]]),
    rest=st.binary(max_size=100),
    compress=st.booleans(),
)
@settings(deadline=None, max_examples=100)
def test_random_bytes(scratch, prefix, rest, compress):
    content = gzip.compress(prefix + rest) if compress else prefix + rest
    found = read_again(scratch, content)
    assert found == REFUSED or found == unpacked(content)


@settings(max_examples=50, deadline=None)
@given(level=st.integers(0, 9), n=st.integers(1, 3000), seed=st.integers(0, 99))
def test_no_file_is_larger_than_its_beginning_says(scratch, level, n, seed):
    data = np.random.default_rng(seed).bytes(n * 12)  # cannot be compressed
    raw = idx_header((n, *ITEM)) + data
    for whole in (raw, gzip.compress(raw, level, mtime=0)):
        size = largest_size(saved(scratch, whole[:4096]), ITEM)
        assert len(whole) <= size <= len(raw) * 1.001 + 1024


@pytest.mark.parametrize(
    "content",
    [HTML, b"", GZ[:12], HEADER[:9], gzip.compress(HTML, mtime=0)],
    ids=["web page", "nothing", "torn gzip", "torn header", "gzip of a web page"],
)
def test_what_begins_otherwise_has_no_size(tmp_path, content):
    with pytest.raises(IdxFormatError, match=REFUSED):
        largest_size(saved(tmp_path, content), ITEM)


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["raw", "gzip"])
def test_sizes_have_a_limit(tmp_path, monkeypatch, pack):
    path = saved(tmp_path, pack(RAW))
    monkeypatch.setattr(idx, "MAX_UNPACKED_BYTES", 24)
    assert largest_size(path, ITEM) == 24 + 1024
    monkeypatch.setattr(idx, "MAX_UNPACKED_BYTES", 23)
    with pytest.raises(IdxFormatError, match=r"at most 23 bytes .* claims \(2, 3, 4\)"):
        largest_size(path, ITEM)


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
    assert largest_size(path, (3,), INTEGER) == 24 + 1024
    with pytest.raises(IdxFormatError, match="2 dimensions of unsigned bytes"):
        read_idx(path, (3,))
    path.write_bytes(pack(header + bytes(23)))
    with pytest.raises(IdxFormatError, match="expected 24 bytes of data .* found 23"):
        read_idx(path, (3,), INTEGER)
