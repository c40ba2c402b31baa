"""`python -m benchmarks`: measure everything, print a table and write `results.json`."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measure import SHORT_RUNS
from benchmarks.report import print_report, write_results
from mnist_kedro.sources import FILES

if TYPE_CHECKING:
    from benchmarks.measure import Row

FEWEST_RUNS = 3  # of a run of minutes, of which a median is worth writing down
DATA = Path(__file__).resolve().parents[1] / ".." / "shared" / "mnist"
RESULTS = Path(__file__).with_name("results.json")


def main() -> None:
    """Measure and report."""
    arguments = parse_arguments()
    # For all that is started from here: everybody uses the CPU, and nobody sends statistics.
    os.environ |= {"CUDA_VISIBLE_DEVICES": "", "DO_NOT_TRACK": "true"}
    runs = 1 if arguments.quick else arguments.runs
    rows, notes = measure(arguments.data, runs)
    title = f"Medians of {SHORT_RUNS} runs a side, taken in turn; {runs} for the default run"
    if arguments.quick:
        title = f"QUICK LOOK, not for the record. {title}"
    else:
        write_results(rows, RESULTS)
        notes.append(f"Written to {RESULTS.name}.")
    print_report(rows, title, notes)


def measure(folder: Path, runs: int) -> tuple[list[Row], list[str]]:
    """Return all rows, and notes on what the sides have learned."""
    from benchmarks.commands import default_run_rows, start_up_row
    from benchmarks.reading import reading_rows
    from benchmarks.training import epoch_rows

    training, epoch_note = epoch_rows(folder)
    reading = reading_rows(folder)
    default_run, run_note = default_run_rows(folder, runs)
    return [*training, *reading, *default_run, start_up_row()], [epoch_note, run_note]


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
        "--runs",
        type=int,
        default=FEWEST_RUNS,
        metavar="N",
        help=f"of the default run, each side (default and least: {FEWEST_RUNS}; minutes each)",
    )
    parser.add_argument(
        "--quick", action="store_true", help="do the default run once, and write no results.json"
    )
    arguments = parser.parse_args()
    if arguments.runs < FEWEST_RUNS:
        parser.error(f"expected at least {FEWEST_RUNS} --runs, found {arguments.runs}: try --quick")
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
