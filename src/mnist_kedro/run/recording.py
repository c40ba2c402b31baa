"""What a run has finished, written down as soon as it is saved, for runs that go on from there."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from typing import TYPE_CHECKING

from mnist_kedro.run.progress import CompletedNodes
from mnist_kedro.run.stopping import last_words

if TYPE_CHECKING:
    from kedro.io import DataCatalog

    from mnist_kedro.run.plan import RunPlan
    from mnist_kedro.run.runs import LivingRun

GO_ON = "What is finished is saved: to go on, add --only-missing-outputs to the same command."

logger = logging.getLogger(__name__)


class Recording:
    """Records a run from its start to its end.

    Args:
        run: Has the record.
        plan: Knows what a node saves.
        catalog: Has what was saved.
        nodes: The names of all, in the order in which they can run.
    """

    def __init__(
        self, run: LivingRun, plan: RunPlan, catalog: DataCatalog, nodes: list[str]
    ) -> None:
        self._run, self._plan, self._catalog, self._open = run, plan, catalog, nodes
        self._some_finished = False
        self._until_end = ExitStack()
        self._until_end.callback(run.end)
        self._until_end.enter_context(last_words(self.say_how_to_go_on))
        self._until_end.enter_context(CompletedNodes(self._finish))

    def end(self) -> None:
        """Record no more; the run is over."""
        self._until_end.close()

    def finish_all(self) -> None:
        """Record what was not told: where the runners' log is silenced, nothing is."""
        for name in self._open.copy():
            self._finish(name)

    def say_how_to_go_on(self) -> None:
        """Say, once, what a run that was ended has left."""
        if self._some_finished:
            self._some_finished = False
            logger.warning(GO_ON)

    def _finish(self, name: str) -> None:
        self._open.remove(name)
        finished = self._plan.finished(name)
        if finished and not self._fell_back(finished):
            self._run.write_down(finished)
            self._some_finished = True

    def _fell_back(self, names: dict[str, str]) -> bool:
        """Tell whether these are digits that were taken because there was no network.

        Another time there may be one, so that is not finished.
        """
        if "dataset_profile" not in names:
            return False
        asked = self._catalog.load("params:data_ingestion").source
        found = self._catalog.load("dataset_profile")["source"]
        return (asked, found) == ("auto", "embedded")
