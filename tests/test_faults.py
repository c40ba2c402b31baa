"""A few of the faults that `make faults` tries by the dozen."""

import signal
import tempfile
from pathlib import Path

import numpy as np
import pytest

from tests.faults import disks
from tests.faults.interruptions import interruptions, undisturbed
from tests.faults.overlaps import overlaps
from tests.faults.report import Count, write_table

pytestmark = pytest.mark.slow

TWO = ("logistic_regression", "mlp_64")


@pytest.fixture(scope="module")
def folder():
    """A folder with a short name, since sockets of worker processes lie in it."""
    with tempfile.TemporaryDirectory(prefix="f") as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def measure(folder):
    return undisturbed(folder / "undisturbed", TWO)


@pytest.mark.parametrize(
    ("number", "times"), [(signal.SIGKILL, 3), (signal.SIGINT, 1), (signal.SIGTERM, 1)]
)
def test_a_run_may_end_at_any_moment(folder, measure, number, times):
    name = signal.Signals(number).name
    random = np.random.default_rng(times)
    lost = list(interruptions(number, times, random, folder / name, measure, TWO))
    assert lost == [[]] * times


def test_a_disk_may_become_full_or_not_be_written(folder):
    if why_not := disks.cannot_mount(folder / "disk"):
        pytest.skip(why_not)
    assert list(disks.full_disks(1, np.random.default_rng(0), folder / "full", TWO)) == [[]]
    assert list(disks.read_only_disks(folder / "read_only", TWO)) == [[], []]


def test_two_runs_may_start_at_once(folder):
    assert list(overlaps(folder / "overlaps", (2,), TWO)) == [[], []]


def test_the_table_keeps_the_rows_of_other_faults(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- make faults -->\n<!-- end -->\nafter\n")
    write_table([Count("fire"), Count("flood", skipped="no water")], page)
    count = Count("fire")
    count.add([])
    count.add(["a file"])
    write_table([count], page)
    before, head, _, fire, flood, after = [
        line for line in page.read_text().splitlines() if not line.startswith("<!--")
    ]
    assert (before, after) == ("before", "after")
    assert head == "| fault | tried | survived | lost | when |"
    assert fire.startswith("| fire | 2 | 1 | 1 | 20")
    assert flood == "| flood | 0 | 0 | 0 | no water |"
