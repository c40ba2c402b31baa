"""A few of the faults that `make faults` tries by the dozen."""

import pytest

from tests.faults.__main__ import write_rows
from tests.faults.harm import interruptions, overlaps

ONE = ("logistic_regression",)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "moments"), [("kill", [0.4, 0.8]), ("sigterm", [0.6]), ("full", [0.5])]
)
def test_a_run_may_be_interrupted(tmp_path, name, moments):
    lost = list(interruptions(name, moments, tmp_path, ONE))
    assert lost == [[]] * len(moments)


@pytest.mark.slow
def test_two_runs_may_start_at_once(tmp_path):
    assert list(overlaps((2,), tmp_path, ONE)) == [[], []]


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
