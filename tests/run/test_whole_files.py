"""Files that are complete or absent."""

import errno
import os
import re
import signal
import subprocess
import sys

import fsspec
import pandas as pd
import pytest
from kedro.io import DatasetError
from kedro_datasets.pandas import CSVDataset

from mnist_kedro.run.whole_files import WholeFile, WholeFileSystem


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_it_is_there_when_it_is_closed(tmp_path):
    path = tmp_path / "new" / "file"
    with WholeFile(path) as file:
        file.write(b"all")
        file.flush()
        assert names(path.parent) == [file.temporary.name]
        assert re.fullmatch(r"\.file\.[0-9a-f]{8}\.unfinished", file.temporary.name)
    assert names(path.parent) == ["file"]
    assert path.read_bytes() == b"all"


@pytest.mark.parametrize("mode", ["wb", "w"])
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_what_fails_leaves_the_old_file_and_nothing_else(tmp_path, mode, error):
    path = tmp_path / "file"
    path.write_text("old")

    def fail():
        with fsspec.filesystem("file").open(str(path), mode) as file:
            file.write("new" if mode == "w" else b"new")
            raise error

    with pytest.raises(error):
        fail()
    assert names(tmp_path) == ["file"]
    assert path.read_text() == "old"


def test_what_fails_leaves_no_empty_folder(tmp_path):
    with pytest.raises(ZeroDivisionError), WholeFile(tmp_path / "version" / "file"):
        _ = 1 / 0
    assert names(tmp_path) == []


@pytest.mark.parametrize("mode", ["wb", "w"])
def test_what_is_saved_while_an_error_is_handled_is_whole(tmp_path, mode):
    path = tmp_path / "file"
    try:
        _ = 1 / 0
    except ZeroDivisionError:
        with fsspec.filesystem("file").open(str(path), mode) as file:
            file.write("all" if mode == "w" else b"all")
    assert path.read_text() == "all"


def test_a_file_that_nobody_closes_is_discarded_and_that_is_said(tmp_path, caplog):
    file = WholeFile(tmp_path / "file")
    file.write(b"part")
    del file
    assert names(tmp_path) == []
    assert f"{tmp_path / 'file'} was never closed, so it is not saved." in caplog.text


def test_writers_of_one_file_do_not_meet(tmp_path):
    with WholeFile(tmp_path / "file") as first, WholeFile(tmp_path / "file") as second:
        first.write(b"first")
        second.write(b"second")
    assert (tmp_path / "file").read_bytes() == b"first"  # which was closed last
    assert names(tmp_path) == ["file"]


def test_links_and_modes_stay(tmp_path):
    (tmp_path / "target").write_bytes(b"old")
    (tmp_path / "target").chmod(0o600)
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with WholeFile(tmp_path / "link") as file:
        file.write(b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"new"
    assert (tmp_path / "target").stat().st_mode & 0o777 == 0o600


def test_transactions_are_those_of_fsspec(tmp_path):
    files = fsspec.filesystem("file")
    with files.transaction, files.open(str(tmp_path / "file"), "wb") as file:
        file.write(b"all")
    assert (tmp_path / "file").read_bytes() == b"all"


class FullDisk(WholeFile):
    """A file on a disk that has no space after some bytes."""

    def flush(self):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path):
    file = FullDisk(tmp_path / "version" / "file")
    file.write(b"all")
    with pytest.raises(OSError, match="No space left on device"):
        file.close()
    assert file.closed
    assert names(tmp_path) == []


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")  # noqa: PTH110
def test_a_write_that_failed_is_not_forgotten_when_a_text_file_closes(tmp_path):
    """A text file asks to close without the exception that its last write raised."""
    path = tmp_path / "version" / "file"
    file = fsspec.filesystem("file").open(str(path), "w")
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, file.buffer.fileno())
    os.close(full)
    file.write("x" * 8_000)
    with pytest.raises(OSError, match="No space left on device"):
        file.write("x" * 10_000_000)
    with pytest.raises(OSError, match="No space left on device"):
        file.close()
    assert names(tmp_path) == []


def test_a_pipe_is_written_not_replaced(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with subprocess.Popen(["cat", path], stdout=subprocess.PIPE) as reader:
        with fsspec.filesystem("file").open(str(path), "wb") as file:
            file.write(b"all")
        assert reader.communicate(timeout=10)[0] == b"all"
    assert path.is_fifo()


def test_datasets_of_kedro_save_whole_files(tmp_path):
    class Unprintable:
        def __str__(self):
            raise RuntimeError("in the middle")

    table = pd.DataFrame({"value": [*range(10_000), Unprintable()]})
    dataset = CSVDataset(filepath=str(tmp_path / "table.csv"))
    assert isinstance(dataset._fs, WholeFileSystem)
    with pytest.raises(DatasetError, match="in the middle"):
        dataset.save(table)
    assert names(tmp_path) == []
    dataset.save(table[:10])
    assert names(tmp_path) == ["table.csv"]


def test_other_modes_are_those_of_fsspec(tmp_path):
    files = fsspec.filesystem("file")
    path = str(tmp_path / "file")
    for mode in ("ab", "ab"):
        with files.open(path, mode) as file:
            file.write(b"x")
    with files.open(path, "rb") as file:
        assert file.read() == b"xx"


WRITER = """
import sys
from mnist_kedro.run.whole_files import WholeFile
with WholeFile(sys.argv[1]) as file:
    file.write(b"part"); file.flush(); print("ready", flush=True); sys.stdin.read()
"""


def test_a_killed_process_leaves_nothing_of_this_name(tmp_path):
    path = tmp_path / "version" / "file"
    command = [sys.executable, "-c", WRITER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGKILL)
    (left,) = names(path.parent)
    assert left.startswith(".file.")
    assert not path.exists()


REPLACER = """
import sys
from mnist_kedro.run.whole_files import WholeFile
print("ready", flush=True)
for number in range(300):
    with WholeFile(sys.argv[1]) as file:
        file.write(b"01"[number % 2 :][:1] * 100_000)
"""


def test_a_reader_finds_the_old_or_the_new_file_and_never_a_part(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"0" * 100_000)
    found = set()
    command = [sys.executable, "-c", REPLACER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"ready\n"
        while process.poll() is None:
            content = path.read_bytes()
            found.add((content[:1], len(content), len(set(content))))
    assert process.returncode == 0
    assert found == {(b"0", 100_000, 1), (b"1", 100_000, 1)}
