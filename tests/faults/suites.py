"""Faults that have tests of their own, all of which run in every `make test`."""

import contextlib
import io
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


class Results:
    """Takes from pytest why each test failed, or nothing; skipped ones do not count."""

    def __init__(self):
        self.lost = []

    def pytest_runtest_logreport(self, report):
        if report.when == "call" or report.failed:
            reason = [f"{report.nodeid}: {report.longrepr}"] if report.failed else []
            self.lost += [] if report.skipped else [reason]


def suites(*paths):
    """Run the tests of these files; return for each what was lost."""
    results = Results()
    with contextlib.chdir(ROOT), contextlib.redirect_stdout(io.StringIO()):
        pytest.main(["-q", *paths], plugins=[results])
    return results.lost
