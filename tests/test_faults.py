"""A few of the faults that `make faults` tries by the dozen."""

import pytest

from tests.faults.__main__ import write_rows
from tests.faults.harm import interrupt, measure, run_at_once
from tests.faults.projects import Project

ONE = ("logistic_regression",)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    return measure(tmp_path_factory.mktemp("undisturbed"), ONE)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return Project(tmp_path_factory.mktemp("interrupted"), ONE)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "moment", "how_next"),
    [("kill", 0.6, ["--only-missing-outputs"]), ("sigterm", 0.4, []), ("full", 0.2, [])],
)
def test_a_run_may_be_interrupted(project, undisturbed, name, moment, how_next):
    seconds, datasets = undisturbed
    assert interrupt(project, name, moment * seconds, datasets, *how_next) == []


@pytest.mark.slow
def test_two_runs_may_start_at_once(tmp_path):
    assert run_at_once(Project(tmp_path, ONE), 2) == []


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
