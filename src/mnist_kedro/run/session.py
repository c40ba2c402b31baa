"""A Kedro session that saves under a version no other run has, and knows its folds."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from kedro.framework.context import KedroContext
from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession
from kedro.io.core import generate_timestamp

if TYPE_CHECKING:
    from pathlib import Path

MILLISECOND = 0.001  # the resolution of Kedro's versions, in seconds


class Session(KedroSession):
    """Kedro's session; of runs that start in the same millisecond, each gets its own version."""

    def run(self, *args: Any, **kwargs: Any) -> dict[str, Any]:  # noqa: ANN401 (as Kedro's)
        """Run pipelines, see `KedroSession.run`."""
        # `store` would be a copy.
        self.session_id = self._store["session_id"] = unique_version(self._project_path)
        return super().run(*args, **kwargs)


class Context(KedroContext):
    """Kedro's context; registers the pipelines anew, with a node per fold that its parameters name.

    Kedro registers them without knowing any parameters. No hook does this: Kedro-Viz calls none.

    Raises:
        ValueError: The parameters of the split are impossible.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 (as Kedro's)
        super().__init__(*args, **kwargs)
        pipelines.configure("mnist_kedro.pipeline_registry")  # forgets those of another context
        parameters = self.config_loader["parameters"].get("data_split")
        # The rest of it is checked when a run needs it; the demo does not even import what can.
        if isinstance(parameters, dict) and parameters.get("folds"):
            self._register(parameters)

    @staticmethod
    def _register(parameters: dict[str, Any]) -> None:
        from mnist_kedro.pipeline_registry import register_pipelines
        from mnist_kedro.pipelines.data_split.nodes import DataSplitParameters

        folds = DataSplitParameters.model_validate(parameters).folds
        pipelines.update(register_pipelines(folds))


def unique_version(project: Path) -> str:
    """Return the time as a version, one that no other process on this machine was given.

    Args:
        project: Folder in which these processes meet, at a lock.
    """
    from filelock import FileLock

    with FileLock(project / "version.lock"):
        version = generate_timestamp()
        time.sleep(MILLISECOND)
    return version
