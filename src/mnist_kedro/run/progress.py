"""A line for each node that is done."""

from __future__ import annotations

import logging
import os
from time import perf_counter
from typing import TYPE_CHECKING, Any

from kedro.framework.hooks import hook_impl

if TYPE_CHECKING:
    from kedro.pipeline import Pipeline
    from kedro.pipeline.node import Node

logger = logging.getLogger(__name__)


class ProgressHooks:
    """Logs which node is done, which of how many it is, and how long it took.

    Worker processes do not know how many nodes others have done: their lines have no number.
    """

    def __init__(self) -> None:
        self._process = os.getpid()
        self._nodes: dict[str, int] = {}  # by run: how many there are,
        self._done: dict[str, int] = {}  # and how many are done
        self._begun: dict[tuple[str, str], float] = {}  # by run and node

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline) -> None:
        """Count the nodes; Kedro alone knows how many `--only-missing-outputs` leaves."""
        self._process = os.getpid()
        if not run_params["only_missing_outputs"]:
            self._nodes[run_params["run_id"]] = len(pipeline.nodes)

    @hook_impl
    def before_node_run(self, node: Node, run_id: str) -> None:
        """Note when the node begins."""
        self._begun[run_id, node.name] = perf_counter()

    @hook_impl
    def after_node_run(self, node: Node, run_id: str) -> None:
        """Log the node."""
        seconds = perf_counter() - self._begun.pop((run_id, node.name))
        self._done[run_id] = self._done.get(run_id, 0) + 1
        count = ""
        if run_id in self._nodes and os.getpid() == self._process:
            count = f"{self._done[run_id]:2} of {self._nodes[run_id]}  "
        logger.info("%s%s, %s", count, node.name, duration(seconds))


def duration(seconds: float) -> str:
    """Return seconds as people read them: `10.8 s`, `2 min 5 s`."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s"
