"""`python -m tests.faults`: try all faults or some, print a table, write it into the documents."""

import argparse
import os
import signal
import sys
import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from tests.faults.disks import cannot_mount, full_disks, read_only_disks
from tests.faults.interruptions import interruptions, undisturbed
from tests.faults.overlaps import overlaps
from tests.faults.report import Count, print_progress, print_table, write_table
from tests.faults.resumes import resumes
from tests.faults.suites import suites

RARER = 5  # than runs are killed, all else happens


@dataclass
class Trials:
    """How often and where faults are tried."""

    times: int
    random: np.random.Generator
    folder: Path

    @cached_property
    def measure(self):
        return undisturbed(self.folder / "undisturbed")

    def interrupt(self, number, times):
        name = self.folder / signal.Signals(number).name
        return interruptions(number, times, self.random, name, self.measure, at_once=os.cpu_count())

    def kill(self):
        return self.interrupt(signal.SIGKILL, self.times)

    def ctrl_c(self):
        return self.interrupt(signal.SIGINT, self.times // RARER)

    def sigterm(self):
        return self.interrupt(signal.SIGTERM, self.times // RARER)

    def full(self):
        return full_disks(self.times // RARER, self.random, self.folder / "full")

    def read_only(self):
        return read_only_disks(self.folder / "read_only")

    def overlaps(self):
        return overlaps(self.folder / "overlaps")

    def resumes(self):
        return resumes(self.folder / "resumes")

    def mirrors(self):
        return suites("tests/test_mirrors.py")

    def files(self):
        return suites("tests/datasets", "tests/test_idx.py")

    def mlflow(self):
        return suites("tests/tracking/test_servers.py")

    def postgresql(self):
        return suites("tests/tracking/test_postgresql.py")


# Each is a method of `Trials`.
FAULTS = {
    "kill": "`kill -9` at any moment of a run",
    "ctrl_c": "Ctrl-C at any moment of a run",
    "sigterm": "SIGTERM at any moment of a run",
    "full": "a disk becomes full during a run",
    "read_only": "a folder cannot be written",
    "overlaps": "two and four runs at once",
    "resumes": "`--only-missing-outputs` after a change",
    "mirrors": "mirrors are broken or mean ill",
    "files": "IDX files and models are torn or mean ill",
    "mlflow": "MLflow's server refuses, hangs or dies",
    "postgresql": "PostgreSQL: the same",
}
NEEDS_DISKS = ("full", "read_only")


def main():
    arguments = parse_arguments()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # Shells let what they start in the background ignore Ctrl-C, and runs would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    counts = []
    # Its name is short: sockets of worker processes lie in it, and take about a hundred letters.
    with tempfile.TemporaryDirectory(prefix="f") as folder:
        trials = Trials(arguments.times, np.random.default_rng(arguments.seed), Path(folder))
        why_not = cannot_mount(trials.folder / "disk")
        for name in arguments.faults or FAULTS:
            counts.append(count := Count(FAULTS[name]))
            if name in NEEDS_DISKS and why_not:
                count.skipped = why_not
                continue
            for lost in getattr(trials, name)():
                count.add(lost)
                print_progress(count)
    print_table(counts)
    write_table(counts)
    sys.exit(any(count.lost for count in counts))


def parse_arguments():
    parser = argparse.ArgumentParser(
        "python -m tests.faults",
        description="Do harm to runs, see what is lost, print a table and write it into "
        "docs/reliability.md. The exit status is 1 if anything was lost.",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the moments (default: 0)")
    parser.add_argument(
        "--times", type=int, default=60, help="that a run is killed (default: 60); others are rarer"
    )
    parser.add_argument(
        "faults", nargs="*", metavar="FAULT", help=f"try only these of {', '.join(FAULTS)}"
    )
    arguments = parser.parse_args()
    if unknown := set(arguments.faults) - set(FAULTS):
        parser.error(f"expected faults of {', '.join(FAULTS)}, found {', '.join(sorted(unknown))}")
    return arguments


if __name__ == "__main__":
    main()
