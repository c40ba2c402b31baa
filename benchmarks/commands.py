"""Commands in processes of their own, timed.

`python benchmarks/commands.py COMMAND ...` prints the seconds of a command, its peak memory and
what it printed, as JSON. That is a process of its own, because the system reports the peak memory
of all finished children together, and counts that of the process that started them.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent
KEDRO = (sys.executable, "-m", "kedro")
BYTES = 1 if sys.platform == "darwin" else 1024  # in which the system counts memory


def run(command: tuple[str, ...], folder: Path) -> str:
    """Run a command in a folder; return what it prints, and drop its logs.

    Raises:
        RuntimeError: It failed; ends with its logs.
    """
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr}")
    return done.stdout


def run_timed(command: tuple[str, ...], folder: Path) -> dict[str, Any]:
    """Run a command in a folder; return its `seconds`, peak `megabytes` and `output`."""
    timed: dict[str, Any] = json.loads(run((sys.executable, __file__, *command), folder))
    return timed


def main(command: list[str]) -> int:
    """Run, print what was measured, return the exit status."""
    start = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    measured = {
        "seconds": time.perf_counter() - start,
        "megabytes": BYTES * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6,
        "output": done.stdout,
    }
    print(json.dumps(measured))
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
