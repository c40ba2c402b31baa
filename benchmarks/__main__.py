"""`python -m benchmarks`: measure everything, print a table and write `results.json`."""

from __future__ import annotations

import argparse
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measure import LONG_RUNS
from benchmarks.report import print_report, write_results
from mnist_kedro.sources import FILES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmarks.measure import Row

# In the order of the table; each is a module with `measure_group`.
GROUPS = (
    "default_run",
    "training",
    "accuracy_cost",
    "prediction",
    "reading",
    "start_up",
    "large_file",
)
DATA = Path(__file__).resolve().parents[1] / ".." / "shared" / "mnist"
RESULTS = Path(__file__).with_name("results.json")


def main() -> None:
    """Measure and report."""
    arguments = parse_arguments()
    # For all that is started from here: everybody uses the CPU, and nobody sends statistics.
    os.environ |= {"CUDA_VISIBLE_DEVICES": "", "DO_NOT_TRACK": "true"}
    runs = 1 if arguments.quick else LONG_RUNS
    rows, notes = measure(arguments.groups or GROUPS, arguments.data, runs)
    title = "Medians, the sides taken in turn"
    if arguments.quick or arguments.groups:
        title = f"NOT FOR THE RECORD. {title}"
    else:
        write_results(rows, RESULTS)
        notes.append(f"Written to {RESULTS.name}.")
    print_report(rows, title, notes)


def measure(groups: Iterable[str], folder: Path, runs: int) -> tuple[list[Row], list[str]]:
    """Return the rows of these groups, and notes on what the sides have learned."""
    rows: list[Row] = []
    notes: list[str] = []
    for group in groups:
        more_rows, more_notes = import_module(f"benchmarks.{group}").measure_group(folder, runs)
        for row in more_rows:  # an hour goes by until the table is complete
            print(row, file=sys.stderr, flush=True)
        rows += more_rows
        notes += more_notes
    return rows, notes


def parse_arguments() -> argparse.Namespace:
    """Return the options of the command line, checked."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks", description="Measure everything beside its peer; print a table."
    )
    parser.add_argument(
        "--data",
        type=Path,
        default=DATA,
        metavar="FOLDER",
        help="with the four compressed MNIST files (default: ../shared/mnist beside the project)",
    )
    parser.add_argument(
        "--quick", action="store_true", help="once for what takes long, and write no results.json"
    )
    parser.add_argument(
        "groups",
        nargs="*",
        metavar="GROUP",
        help=f"measure only these of {', '.join(GROUPS)}, and write no results.json",
    )
    arguments = parser.parse_args()
    if unknown := set(arguments.groups) - set(GROUPS):
        parser.error(f"expected groups of {', '.join(GROUPS)}, found {', '.join(sorted(unknown))}")
    names = [f"{name}.gz" for name in FILES.values()]
    missing = [name for name in names if not (arguments.data / name).is_file()]
    if missing:
        parser.error(
            f"expected the four compressed MNIST files in {arguments.data.resolve()}, found no "
            f"{', '.join(missing)}: put them there, or name their folder with --data"
        )
    return arguments


if __name__ == "__main__":
    main()
