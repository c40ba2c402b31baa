"""Counts of faults as a table: on the terminal, and in docs/reliability.md."""

import os
import re
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from rich.console import Console
from rich.table import Table

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
TABLE = re.compile(r"(?<=<!-- make faults -->\n).*(?=<!-- end -->)", re.DOTALL)
HEADS = ("fault", "tried", "survived", "lost", "when")
ERRORS, OUTPUT = Console(stderr=True, highlight=False), Console(highlight=False)


@dataclass
class Count:
    """How often a fault was tried, and what each time was lost."""

    fault: str
    tried: int = 0
    survived: int = 0
    lost: list = field(default_factory=list)
    skipped: str = ""  # why it was not tried

    def add(self, lost):
        """Count a time, after which these things were lost."""
        self.tried += 1
        self.survived += not lost
        self.lost += lost

    def cells(self):
        when = f"{date.today().isoformat()}, {os.cpu_count()} cores"
        return (
            self.fault,
            str(self.tried),
            str(self.survived),
            str(len(self.lost)),
            self.skipped or when,
        )


def print_progress(count):
    """Say how far a fault has come."""
    ERRORS.print(f"{count.fault}: {count.survived} of {count.tried} survived", markup=False)
    for sentence in count.lost:
        ERRORS.print(f"  lost: {sentence}", markup=False, style="red")


def print_table(counts):
    """Print a row per fault."""
    table = Table(*HEADS)
    for count in counts:
        table.add_row(*count.cells())
    OUTPUT.print(table)


def write_table(counts, page=PAGE):
    """Put the rows in the place of earlier ones of the same faults."""
    text = page.read_text()
    earlier = [line.strip("| ").split(" | ") for line in TABLE.search(text)[0].splitlines()[2:]]
    rows = {cells[0]: cells for cells in earlier} | {count.fault: count.cells() for count in counts}
    lines = [HEADS, ["---"] * len(HEADS), *rows.values()]
    table = "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
    page.write_text(TABLE.sub(lambda _: table, text))
