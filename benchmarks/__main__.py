"""`python -m benchmarks`: measure all groups or some, print a table, write `results.json`."""

from __future__ import annotations

import argparse
import os
from contextlib import nullcontext
from importlib import import_module
from typing import TYPE_CHECKING

from benchmarks.data import add_data_option
from benchmarks.machine import IDLE, busy_cores, busy_process, describe_machine, machine_name
from benchmarks.measure import LONG_RUNS, print_report
from benchmarks.results import GROUPS, NOT_IDLE, write_comparison, write_results

if TYPE_CHECKING:
    from benchmarks.measure import Row


def main() -> None:
    """Measure and report."""
    arguments = parse_arguments()
    # For all that is started from here: everybody uses the CPU, and nobody sends statistics.
    os.environ |= {"CUDA_VISIBLE_DEVICES": "", "DO_NOT_TRACK": "true"}
    runs = 1 if arguments.quick else LONG_RUNS
    load = "beside a busy process" if arguments.beside_busy else "idle"
    load_in_all, load_at_start = load, os.getloadavg()[0]
    rows: list[Row] = []
    notes: list[str] = []
    for group in arguments.groups or GROUPS:
        measure = import_module(f"benchmarks.{group}").measure_group
        others = [busy_cores()]
        with busy_process() if arguments.beside_busy else nullcontext():
            more_rows, more_notes = measure(arguments.data, runs)
        others.append(busy_cores())
        rows += more_rows
        notes += more_notes
        if disturbed := max(others) > IDLE:
            load_in_all = NOT_IDLE
            used = " and ".join(f"{cores:.1f}" for cores in others)
            notes.append(f"NOT IDLE: others used {used} cores before and after '{group}'")
        if not arguments.quick:  # at once: half an hour goes by until all are measured
            where = f"{machine_name()}, {NOT_IDLE if disturbed else load}"
            write_results(group, more_rows, where, describe_machine())
            write_comparison()
    notes.append(
        f"{machine_name()}, {load_in_all}, load {load_at_start:.2f} at the start and "
        f"{os.getloadavg()[0]:.2f} at the end; {describe_machine()}"
    )
    title = "Medians, the sides taken in turn"
    print_report(
        rows, f"QUICK LOOK, not for the record. {title}" if arguments.quick else title, notes
    )


def parse_arguments() -> argparse.Namespace:
    """Return the options of the command line, checked."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks", description="Measure everything beside its peer; print a table."
    )
    add_data_option(parser)
    parser.add_argument(
        "--quick", action="store_true", help="once for what takes long, and change no file"
    )
    parser.add_argument(
        "--beside-busy",
        action="store_true",
        help="keep one core busy meanwhile, for another column",
    )
    parser.add_argument(
        "groups", nargs="*", metavar="GROUP", help=f"measure only these of {', '.join(GROUPS)}"
    )
    arguments = parser.parse_args()
    if unknown := set(arguments.groups) - set(GROUPS):
        parser.error(f"expected groups of {', '.join(GROUPS)}, found {', '.join(sorted(unknown))}")
    return arguments


if __name__ == "__main__":
    main()
