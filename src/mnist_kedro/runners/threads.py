"""How many threads a node uses: what it says, and how it is kept to that."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kedro.pipeline.node import Node

TAG = "threads-"  # of a node, before its number of threads; Kedro's tags have no `=`
RESOURCE = "threads"  # of a worker: Dask gives it no more nodes than that
# Read by OpenMP, MKL and OpenBLAS when they are loaded, and by joblib each time (`n_jobs: -1`).
VARIABLES = (
    *("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"),
    "LOKY_MAX_CPU_COUNT",
)


def threads_of(node: Node, otherwise: int) -> int:
    """Return the number of threads that a node asks for by its tag, such as `threads-2`.

    Args:
        node: May have such a tag.
        otherwise: The number for a node without one.

    Raises:
        ValueError: It has two such tags, or one without a number.
    """
    numbers = [tag.removeprefix(TAG) for tag in node.tags if tag.startswith(TAG)]
    if not numbers:
        return otherwise
    if len(numbers) > 1 or not numbers[0].isdecimal() or not int(numbers[0]):
        raise ValueError(
            f"{node.name}: expected one tag such as {TAG}2, found "
            f"{', '.join(sorted(TAG + number for number in numbers))}"
        )
    return int(numbers[0])


def limit_threads(count: int) -> None:
    """Let what this thread does from now on use so many threads, itself included.

    Most of it counts for the whole process, which does one thing at a time if it is a worker.
    """
    from threadpoolctl import threadpool_limits

    os.environ.update(dict.fromkeys(VARIABLES, str(count)))
    if torch := sys.modules.get("torch"):  # counts for itself; imported later, it reads the above
        torch.set_num_threads(count)
    threadpool_limits(count)
