"""What goes from MLflow with the runs that `kedro prune` removes.

`mlflow gc` would also remove, for ever, all experiments and models that anybody has ever deleted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fsspec.core import url_to_fs

from mnist_kedro.tracking.store import has_store, open_store, project_tag, reached

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from mlflow.entities import LoggedModel, Run
    from mlflow.entities.model_registry import ModelVersion

    from mnist_kedro.tracking.store import TrackingParameters

MOST = 50_000  # runs that MLflow returns at once


class RemovableRuns:
    """The runs of one project in MLflow; none if it tracks none.

    Args:
        parameters: Of tracking.
        project: The project's folder.

    Raises:
        UserError: MLflow cannot be reached, here or later.
    """

    def __init__(self, parameters: TrackingParameters, project: Path) -> None:
        self._address, self._project = parameters.address(project), project_tag(project)
        self._experiments: list[str] = []
        if has_store(parameters, project):
            with reached(self._address):
                self._client = open_store(parameters, project)
                found = self._client.search_experiments()
            self._experiments = [each.experiment_id for each in found]

    def find(self, version: str) -> list[Run]:
        """Return the run of this version and its children."""
        if not self._experiments:
            return []
        of_version = f"tags.kedro_run_id = '{version}'"
        with reached(self._address):
            found = self._client.search_runs(self._experiments, of_version, max_results=MOST)
        # Other projects may share the server.
        return [run for run in found if run.data.tags.get("kedro_project") == self._project]

    def have_alias(self, runs: Sequence[Run]) -> bool:
        """Tell whether a registered model of these has an alias, such as `champion`."""
        with reached(self._address):
            registered = [each for run in runs for each in self._registered(run)]
            versions = [self._client.get_model_version(v.name, v.version) for v in registered]
        return any(version.aliases for version in versions)

    def count_bytes(self, runs: Sequence[Run]) -> int:
        """Return how much `remove` frees."""
        with reached(self._address):
            return sum(files.du(folder) for run in runs for files, folder in self._folders(run))

    def remove(self, runs: Sequence[Run]) -> None:
        """Remove what these have logged and registered, then the runs.

        In MLflow they count as deleted. Their records, and the files that a server keeps of them,
        stay until somebody calls `mlflow gc`. If this is interrupted, a second call does the rest.
        """
        with reached(self._address):
            for run in runs:
                for version in self._registered(run):
                    self._client.delete_model_version(version.name, version.version)
                for files, folder in self._folders(run):
                    if files.exists(folder):
                        files.rm(folder, recursive=True)
                for model in self._logged(run):
                    self._client.delete_logged_model(model.model_id)
                self._client.delete_run(run.info.run_id)

    def _registered(self, run: Run) -> list[ModelVersion]:
        return list(self._client.search_model_versions(f"run_id = '{run.info.run_id}'"))

    def _logged(self, run: Run) -> list[LoggedModel]:
        of_run = f"source_run_id = '{run.info.run_id}'"
        return list(self._client.search_logged_models([run.info.experiment_id], of_run))

    def _folders(self, run: Run) -> Iterator[tuple[Any, str]]:
        """Yield the folders that no server keeps, each with its file system."""
        models = [model.artifact_location for model in self._logged(run)]
        for address in (run.info.artifact_uri, *models):
            if address.startswith("file:"):
                files, folder = url_to_fs(address)
                yield files, folder.removesuffix("/artifacts")
