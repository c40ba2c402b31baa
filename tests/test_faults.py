"""A few of the faults that `make faults` tries by the dozen."""

import time

import pytest

from tests.faults.__main__ import write_rows
from tests.faults.harm import interrupt, run_at_once
from tests.faults.projects import Project

ONE = ("logistic_regression",)


@pytest.fixture(scope="module")
def after_two_at_once(tmp_path_factory):
    """A project after two runs at once, their seconds, how many datasets each has saved, losses."""
    project = Project(tmp_path_factory.mktemp("faults"), ONE)
    start = time.monotonic()
    lost = run_at_once(project, 2)
    seconds = time.monotonic() - start
    return project, seconds, len(project.saved(max(project.tracked()))), lost


@pytest.mark.slow
def test_two_runs_may_start_at_once(after_two_at_once):
    *_, lost = after_two_at_once
    assert lost == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "moment", "how_next"),
    [
        ("kill", 0.6, []),
        ("sigterm", 0.4, ["--only-missing-outputs"]),
        ("full", 0.2, ["--only-missing-outputs"]),
    ],
)
def test_a_run_may_be_interrupted(after_two_at_once, name, moment, how_next):
    project, seconds, datasets, _ = after_two_at_once
    assert interrupt(project, name, moment * seconds, datasets, *how_next) == []


def test_the_table_keeps_the_rows_of_other_faults(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- make faults -->\n<!-- end -->\nafter\n")
    write_rows([("fire", "1", "0", "today"), ("flood", "1", "1", "today")], page)
    write_rows([("fire", "2", "2", "later")], page)
    assert page.read_text().splitlines() == [
        *("before", "<!-- make faults -->", "| fault | tried | survived | when |"),
        *("| --- | --- | --- | --- |", "| fire | 2 | 2 | later |", "| flood | 1 | 1 | today |"),
        *("<!-- end -->", "after"),
    ]
