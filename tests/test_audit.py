"""`.ci/audit` tells no vulnerabilities, some, and advisories that cannot be asked, apart."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

AUDIT = Path(__file__).parents[1] / ".ci" / "audit"
TABLE = "Name Version ID Fix Versions\n---- ------- -- ------------\na 1.0 PYSEC-1 1.1\n"
UNREACHABLE = (
    "WARNING:pip_audit._cli:Consider using hashes\n"
    "ERROR:pip_audit._cli:Could not connect to PyPI's vulnerability feed\n"
)


def audit(folder, status, out="", err=""):
    """Run it with a pip-audit that ends like this."""
    for name, text in (("out", out), ("err", err)):
        (folder / name).write_text(text)
    fake = folder / "pip-audit"
    script = f'echo "$@" >{folder}/asked; cat {folder}/out; cat {folder}/err >&2; exit {status}'
    fake.write_text(f"#!/bin/sh\n{script}\n")
    fake.chmod(0o755)
    return run(BIN=str(folder))


def run(**environment):
    return subprocess.run([AUDIT], env=os.environ | environment, capture_output=True, text=True)


def test_every_pin_is_asked_for_strictly(tmp_path):
    done = audit(tmp_path, 0, err="No known vulnerabilities found\n")
    assert done.returncode == 0
    assert done.stdout == "No known vulnerabilities in what constraints.txt pins.\n"
    asked = (tmp_path / "asked").read_text().split()
    assert {"--strict", "--no-deps", "--disable-pip"} < set(asked)
    assert asked[-2:] == ["--requirement", "constraints.txt"]


def test_vulnerabilities_are_shown_and_are_status_1(tmp_path):
    done = audit(tmp_path, 1, TABLE, "Found 1 known vulnerability in 1 package\n")
    assert done.returncode == 1
    assert done.stdout == TABLE
    assert done.stderr == (
        "Expected no known vulnerabilities in constraints.txt, found these: run make constraints.\n"
    )


@pytest.mark.parametrize("status", [1, 2])
def test_advisories_that_cannot_be_asked_are_status_3_and_one_sentence(tmp_path, status):
    done = audit(tmp_path, status, err=UNREACHABLE)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == (
        "Not audited, so whether there are known vulnerabilities is not known (Could not connect "
        "to PyPI's vulnerability feed): try again where pypi.org can be reached.\n"
    )


def test_without_pip_audit_nothing_is_known(tmp_path):
    done = run(BIN=str(tmp_path))
    assert done.returncode == 3
    assert "No such file or directory" in done.stderr


def test_with_the_real_one_and_no_network_nothing_is_known(tmp_path):
    nowhere = "http://127.0.0.1:9"
    done = run(
        BIN=str(Path(sys.executable).parent),
        XDG_CACHE_HOME=str(tmp_path),  # with no answers of earlier audits
        PIP_CACHE_DIR=str(tmp_path),
        **dict.fromkeys(("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY"), nowhere),
    )
    assert (done.returncode, done.stdout) == (3, ""), done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("Not audited, so whether there are known vulnerabilities is not known (")
