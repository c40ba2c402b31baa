"""Archives from the web: a file out of them, within limits, or an error."""

import zipfile
from contextlib import suppress

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mnist_kedro.data import archives
from mnist_kedro.data.archives import unpack
from mnist_kedro.formats.idx import IdxFormatError

CONTENT = bytes(range(256)) * 4


def write_zip(path, compression=zipfile.ZIP_DEFLATED, **files):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(f"folder/{name}", content)
    return path


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_file_is_found_in_whichever_folder(tmp_path, compression):
    path = write_zip(tmp_path / "a.zip", compression, other=b"", wanted=CONTENT)
    unpack(path, "wanted", tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == CONTENT


def test_a_file_that_is_not_there_or_in_another_compression_is_an_error(tmp_path):
    path = write_zip(tmp_path / "a.zip", zipfile.ZIP_LZMA, wanted=CONTENT)
    for name in ("wanted", "other"):
        with pytest.raises(IdxFormatError, match=f"a.zip: expected a readable file {name}, found"):
            unpack(path, name, tmp_path / "b")


def test_a_bomb_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MAX_UNPACKED_BYTES", 2**20)
    path = write_zip(tmp_path / "a.zip", wanted=bytes(2**20 + 1))
    with pytest.raises(IdxFormatError, match="at most 1,048,576 bytes for wanted, found 1,048,577"):
        unpack(path, "wanted", tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_no_more_comes_than_is_announced(tmp_path):
    path = write_zip(tmp_path / "a.zip", wanted=bytes(2**20))
    announced, claimed = (size.to_bytes(4, "little") for size in (2**20, 7))
    path.write_bytes(path.read_bytes().replace(announced, claimed))
    with pytest.raises(IdxFormatError, match="expected a whole zip archive"):
        unpack(path, "wanted", tmp_path / "b")
    assert (tmp_path / "b").stat().st_size <= 7


@settings(max_examples=300)
@given(
    changes=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=4),
    cut=st.integers(0, 400),
)
@example(changes=[(-7, 255)], cut=200)  # the size of its directory
def test_any_damage_is_an_idx_format_error_or_does_no_harm(tmp_path_factory, changes, cut):
    folder = tmp_path_factory.getbasetemp()
    contents = {"wanted": CONTENT, "\u00e9": b"other"}
    data = bytearray(write_zip(folder / "damaged.zip", **contents).read_bytes())
    for place, value in changes:
        data[place % len(data)] = value
    (folder / "damaged.zip").write_bytes(data[: len(data) - max(cut - 200, 0)])
    with suppress(IdxFormatError):
        unpack(folder / "damaged.zip", "wanted", folder / "unpacked")
        assert (folder / "unpacked").read_bytes() == CONTENT
