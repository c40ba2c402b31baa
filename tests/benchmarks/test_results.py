import json
from datetime import date

import pytest

from benchmarks import results
from benchmarks.measure import Row
from benchmarks.seeds import FITS, read_fits, summary

ROW = Row("an epoch", "a loop", ours=2.0, theirs=1.6, goal="<= 1.5", unit="s", runs=5)
TODAY = date.today().isoformat()


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "results.json"
    path.write_text("{}")
    return path


def test_rows_take_the_place_of_those_of_their_group_and_column(path):
    for where in ("EPYC, idle", "Xeon, idle"):
        for group in ("training", "reading"):
            results.write_results(group, [ROW, ROW], where, "some flags", path)
    results.write_results("training", [ROW], "Xeon, idle", "other flags", path)
    found = json.loads(path.read_text())
    assert {where: one["machine"] for where, one in found.items()} == {
        "EPYC, idle": "some flags",
        "Xeon, idle": "other flags",
    }
    groups = {where: [row["group"] for row in one["rows"]] for where, one in found.items()}
    assert groups["EPYC, idle"] == ["training", "training", "reading", "reading"]
    assert groups["Xeon, idle"] == ["reading", "reading", "training"]
    assert found["Xeon, idle"]["rows"][-1] == {
        "group": "training",
        "date": TODAY,
        "name": "an epoch",
        "peer": "a loop",
        "ours": 2.0,
        "theirs": 1.6,
        "goal": "<= 1.5",
        "unit": "s",
        "runs": 5,
        "ratio": 1.25,
    }


def test_machines_stand_side_by_side(path):
    another = Row("an epoch", "skorch", ours=2.0, theirs=2.5, goal="", unit="s", runs=5)
    results.write_results("training", [ROW], "EPYC, idle", "flags", path)
    results.write_results("training", [ROW, another], "EPYC, beside a busy process", "flags", path)
    results.write_results("training", [ROW], f"EPYC, {results.NOT_IDLE}", "flags", path)
    assert results.comparison(json.loads(path.read_text())).splitlines() == [
        "|  | against | EPYC, idle | EPYC, beside a busy process | goal |",
        "| --- | --- | --- | --- | --- |",
        "| **Training** |  |  |  |  |",
        "| an epoch | a loop | 2 / 1.6 s = 1.25 | 2 / 1.6 s = 1.25 | <= 1.5 |",
        "| an epoch | skorch |  | 2 / 2.5 s = 0.8 |  |",
        "",
        f"- EPYC, idle, {TODAY}: flags",
        f"- EPYC, beside a busy process, {TODAY}: flags",
    ]


def test_a_text_takes_its_place_in_the_page_alone(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- one -->\n<!-- end -->\nb\n<!-- two -->\nold\n<!-- end -->\nc\n")
    for text in ("first\n", "1\n"):
        results.write_into_page("one", text, page)
    results.write_into_page("two", "2\n", page)
    expected = "a\n<!-- one -->\n1\n<!-- end -->\nb\n<!-- two -->\n2\n<!-- end -->\nc\n"
    assert page.read_text() == expected


def test_the_page_has_what_the_files_have():
    page = results.PAGE.read_text()
    measured = json.loads(results.RESULTS.read_text())
    assert f"<!-- make bench -->\n{results.comparison(measured)}<!-- end -->" in page
    assert f"<!-- benchmarks.seeds -->\n{summary(read_fits(FITS))}<!-- end -->" in page
