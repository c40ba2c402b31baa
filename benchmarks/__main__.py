"""`python -m benchmarks`: measure all groups or some, print a table, write `results.json`."""

from __future__ import annotations

import argparse
import os
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measure import LONG_RUNS, print_report, write_results
from mnist_kedro.data.dataset_spec import FILES

if TYPE_CHECKING:
    from benchmarks.measure import Row

# In the order of the table; each is a module with `measure_group`.
GROUPS = (
    "default_run",
    "training",
    "accuracy_cost",
    "prediction",
    "serving",
    "reading",
    "start_up",
)
DATA = Path(__file__).resolve().parents[1] / ".." / "shared" / "mnist"
RESULTS = Path(__file__).with_name("results.json")


def main() -> None:
    """Measure and report."""
    arguments = parse_arguments()
    # For all that is started from here: everybody uses the CPU, and nobody sends statistics.
    os.environ |= {"CUDA_VISIBLE_DEVICES": "", "DO_NOT_TRACK": "true"}
    runs = 1 if arguments.quick else LONG_RUNS
    rows: list[Row] = []
    notes: list[str] = []
    for group in arguments.groups or GROUPS:
        measure = import_module(f"benchmarks.{group}").measure_group
        more_rows, more_notes = measure(arguments.data, runs)
        rows += more_rows
        notes += more_notes
        if not arguments.quick:  # at once: an hour goes by until all are measured
            write_results(group, more_rows, RESULTS)
    title = "Medians, the sides taken in turn"
    print_report(
        rows, f"QUICK LOOK, not for the record. {title}" if arguments.quick else title, notes
    )


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
        "--quick", action="store_true", help="once for what takes long, and change no results.json"
    )
    parser.add_argument(
        "groups",
        nargs="*",
        metavar="GROUP",
        help=f"measure only these of {', '.join(GROUPS)}",
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
