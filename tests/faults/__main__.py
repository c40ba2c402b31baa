"""`python -m tests.faults`: try all faults or some, print a table, write it into the documents."""

import argparse
import os
import re
import signal
import sys
import tempfile
from datetime import date
from pathlib import Path

import numpy as np
from rich import print as show
from rich.table import Table

from tests.faults.harm import interruptions, overlaps

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
ROWS = re.compile(r"(?<=<!-- make faults -->\n).*(?=<!-- end -->)", re.DOTALL)
HEAD = ("fault", "tried", "survived", "when")
FAULTS = {
    "kill": "`kill -9` at any moment of a run",
    "ctrl_c": "Ctrl-C at any moment of a run",
    "sigterm": "SIGTERM at any moment of a run",
    "full": "a disk becomes full during a run",
    "overlaps": "two and four runs at once",
}
RARER = ("ctrl_c", "sigterm", "full")


def main():
    arguments = parse_arguments()
    # Shells let what they start in the background ignore Ctrl-C, and runs would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    random, times = np.random.default_rng(arguments.seed), arguments.times
    rows, all_lost = [], []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        trials = {
            name: interruptions(name, random.random(times), folder / name)
            for name, times in {"kill": times, **dict.fromkeys(RARER, times // 4)}.items()
        }
        trials["overlaps"] = overlaps((2, 4), folder / "overlaps")
        for name in arguments.only or FAULTS:
            tried = []
            for lost in trials[name]:
                tried.append(lost)
                text = f"{FAULTS[name]}: {tried.count([])} of {len(tried)} survived"
                print(text, *lost, sep="\n  lost: ", flush=True)  # noqa: T201
            when = f"{date.today().isoformat()}, {os.cpu_count()} cores"
            rows.append((FAULTS[name], str(len(tried)), str(tried.count([])), when))
            all_lost += [one for lost in tried for one in lost]
    table = Table(*HEAD)
    for row in rows:
        table.add_row(*row)
    show(table)
    write_rows(rows)
    sys.exit(bool(all_lost))


def parse_arguments():
    parser = argparse.ArgumentParser(
        "python -m tests.faults",
        description="Do harm to runs, see what is lost, print a table and write it into "
        "docs/reliability.md. The exit status is 1 if anything was lost.",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the moments (default: 0)")
    parser.add_argument(
        "--times", type=int, default=40, help="that a run is killed (default: 40); others are rarer"
    )
    parser.add_argument("--only", choices=FAULTS, action="append", help="once or more; else all")
    return parser.parse_args()


def write_rows(rows, page=PAGE):
    """Put rows into the page, in the place of earlier ones of the same faults."""
    text = page.read_text()
    earlier = [line.strip("| ").split(" | ") for line in ROWS.search(text)[0].splitlines()[2:]]
    known = {row[0]: row for row in [*earlier, *rows]}
    lines = [HEAD, ["---"] * len(HEAD), *known.values()]
    table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    page.write_text(ROWS.sub(lambda _: table, text))


if __name__ == "__main__":
    main()
