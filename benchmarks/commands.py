"""Commands in processes of their own, timed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent
TIMED_COMMAND = Path(__file__).with_name("timed_command.py")
KEDRO = (sys.executable, "-m", "kedro")


def run_timed(command: tuple[str, ...], folder: Path) -> dict[str, Any]:
    """Run a command in a folder; return what `timed_command.py` says of it."""
    measured: dict[str, Any] = json.loads(
        run((sys.executable, str(TIMED_COMMAND), *command), folder)
    )
    return measured


def run(command: tuple[str, ...], folder: Path) -> str:
    """Run a command in a folder; return what it prints, and drop its logs.

    Raises:
        RuntimeError: It failed; ends with its logs.
    """
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr}")
    return done.stdout
