"""Run a command; print its seconds, its peak memory and what it printed, as JSON.

A process of its own, because the system reports the peak memory of all finished children together,
and counts that of the process that started them.

Usage: `python benchmarks/timed_command.py COMMAND ...`
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time

# The system counts in bytes on macOS and in KiB elsewhere.
BYTES = 1 if sys.platform == "darwin" else 1024


def main(command: list[str]) -> int:
    """Run and measure; return the exit status of the command."""
    start = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    measured = {
        "seconds": time.perf_counter() - start,
        "cpu_seconds": used.ru_utime + used.ru_stime,
        "megabytes": BYTES * used.ru_maxrss / 1e6,
        "output": done.stdout,
    }
    print(json.dumps(measured))
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
