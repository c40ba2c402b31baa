"""The machine that measures, and what else it does meanwhile."""

from __future__ import annotations

import platform
import subprocess
import sys
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

import psutil
import torch
from joblib import cpu_count

if TYPE_CHECKING:
    from collections.abc import Iterator

FLAGS = ("avx2", "avx512_f", "avx512_vnni", "avx512_bf16", "amx_bf16", "sve")  # PyTorch's names
PACKAGES = ("torch", "scikit-learn", "skorch", "onnxruntime", "kedro")
LOOK = 5  # seconds
IDLE = 0.2  # cores that others may use of a machine that counts as idle


def machine_name() -> str:
    """Return the processor and how many of its cores there are for this process."""
    processor = torch.cpu.get_capabilities().get("cpu_name") or platform.machine()
    return f"{processor}, {cpu_count()} cores"


def describe_machine() -> str:
    """Return with what is measured here, as a line."""
    able = torch.cpu.get_capabilities()
    flags = " ".join(flag for flag in FLAGS if able.get(flag)) or "no vector instructions known"
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return (
        f"{flags}; PyTorch with {torch.get_num_threads()} threads; "
        f"{psutil.virtual_memory().total / 1e9:.1f} GB; Python {platform.python_version()}, "
        f"{packages}"
    )


def busy_cores() -> float:
    """Return how many cores others use, on average over a few seconds in which we do nothing."""
    return psutil.cpu_percent(LOOK) / 100 * psutil.cpu_count()


@contextmanager
def busy_process() -> Iterator[None]:
    """Keep one core busy."""
    with subprocess.Popen((sys.executable, "-c", "while True: pass")) as process:
        try:
            yield
        finally:
            process.kill()
