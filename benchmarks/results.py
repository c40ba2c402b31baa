"""What was measured: `results.json`, and the tables of `docs/performance.md`.

`python -m benchmarks.results` writes the table anew from the file.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from datetime import date
from typing import TYPE_CHECKING, Any

from benchmarks.commands import PROJECT
from benchmarks.measure import readable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from benchmarks.measure import Row

GROUPS = {  # in the order of the table; each is a module with `measure_group`
    "default_run": "The default run",
    "start_up": "Start-up",
    "training": "Training",
    "accuracy_cost": "CPU time to an accuracy on the test images",
    "prediction": "Predicting in Python",
    "serving": "The demo's server, and pictures",
    "reading": "Files",
}
RESULTS = PROJECT / "benchmarks" / "results.json"
PAGE = PROJECT / "docs" / "performance.md"
DIGITS = 4  # significant ones, in the file
NOT_IDLE = "not idle"


def write_results(
    group: str, rows: Iterable[Row], where: str, machine: str, path: Path = RESULTS
) -> None:
    """Put the rows of a group in the place of its earlier ones in the same circumstances.

    Args:
        group: A key of `GROUPS`.
        rows: What was measured.
        where: Machine and load; each has a column of its own.
        machine: Its description.
        path: Of a JSON object by `where`.
    """
    results = json.loads(path.read_text())
    earlier = results.get(where, {"rows": []})["rows"]
    kept = [row for row in earlier if row["group"] != group]
    for row in rows:
        found = {"group": group, "date": date.today().isoformat(), **asdict(row)}
        for name in ("ours", "theirs", "ratio"):
            found[name] = float(f"{getattr(row, name):.{DIGITS}g}")
        kept.append(found)
    results[where] = {"machine": machine, "rows": kept}
    path.write_text(f"{json.dumps(results, indent=2)}\n")


def comparison(results: dict[str, Any]) -> str:
    """Return a Markdown table with a column for each machine and load that was not by chance."""
    results = {where: found for where, found in results.items() if not where.endswith(NOT_IDLE)}
    lines: list[Sequence[str]] = []
    for group, title in GROUPS.items():
        compared: dict[tuple[str, str], dict[str, Any]] = {}
        for where, found in results.items():
            for row in found["rows"]:
                if row["group"] == group:
                    compared.setdefault((row["name"], row["peer"]), {})[where] = row
        if compared:
            lines.append((f"**{title}**", *[""] * (len(results) + 2)))
        for (name, peer), rows in compared.items():
            cells = (quotient(rows[where]) if where in rows else "" for where in results)
            lines.append((name, peer, *cells, [row["goal"] for row in rows.values()][-1]))
    notes = [
        f"- {where}, {span([row['date'] for row in found['rows']])}: {found['machine']}\n"
        for where, found in results.items()
    ]
    return f"{markdown_table(('', 'against', *results, 'goal'), lines)}\n{''.join(notes)}"


def span(dates: Sequence[str]) -> str:
    """Return the first and the last date, or the only one."""
    return " to ".join(sorted({min(dates), max(dates)}))


def quotient(row: dict[str, Any]) -> str:
    """Return ours, theirs and the ratio of a row."""
    ours, theirs, ratio = (readable(row[key]) for key in ("ours", "theirs", "ratio"))
    return f"{ours} / {theirs} {row['unit']} = {ratio}"


def markdown_table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    return "".join(f"| {' | '.join(line)} |\n" for line in [head, ["---"] * len(head), *lines])


def write_into_page(mark: str, text: str, page: Path = PAGE) -> None:
    """Put a text between the comment with this mark and the next `<!-- end -->`."""
    place = re.compile(rf"(?<=<!-- {mark} -->\n).*?(?=<!-- end -->)", re.DOTALL)
    page.write_text(place.sub(lambda _: text, page.read_text(), count=1))


def write_comparison() -> None:
    """Bring the page up to date with the file."""
    write_into_page("make bench", comparison(json.loads(RESULTS.read_text())))


if __name__ == "__main__":
    write_comparison()
