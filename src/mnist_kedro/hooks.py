"""What a run checks before it starts, what it knows of itself, and what it prints at the end."""

from __future__ import annotations

import logging
import platform
import subprocess
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines

from mnist_kedro.parameters import unknown_name
from mnist_kedro.saved import Saved, latest_version

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kedro.io import DataCatalog
    from kedro.pipeline import Pipeline

PROVENANCE = "provenance"
READ_BY_HOOKS = {"tracking"}  # parameters
PACKAGES = ("cleanlab", "kedro", "mnist_kedro", "numpy", "pandas", "scikit-learn", "scipy", "torch")


logger = logging.getLogger(__name__)


class ProjectHooks:
    """The project's hooks."""

    @hook_impl
    def after_catalog_created(self, parameters: dict[str, Any]) -> None:
        """Refuse parameters that no pipeline reads, such as a misspelt candidate.

        Raises:
            ValueError: There is one.
        """
        known = {name for each in pipelines.values() for name in _parameters(each)} | READ_BY_HOOKS
        for name in parameters:
            path = name.removeprefix("params:")
            if path == name:  # "parameters", all of them together
                continue
            if not any(f"{path}.".startswith(f"{k}.") or k.startswith(f"{path}.") for k in known):
                raise ValueError(unknown_name("parameter", path, known))

    @hook_impl
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog
    ) -> None:
        """Check that all inputs are saved, and give the run the dataset `provenance`.

        Raises:
            FileNotFoundError: An input is not there.
        """
        inputs = sorted(pipeline.inputs() - _parameters(pipeline, prefix="params:") - {PROVENANCE})
        missing = [name for name in inputs if not catalog.exists(name)]
        if missing:
            raise FileNotFoundError(
                f"expected {', '.join(missing)} to be saved by an earlier run, found nothing: "
                f"run `kedro run` first, or just the stage or candidate that saves it"
            )
        _warn_of_idle_parameters(run_params.get("runtime_params") or {}, pipeline)
        catalog[PROVENANCE] = {
            "run_id": run_params["run_id"],
            "versions": _versions(run_params, pipeline, catalog, inputs),
            **_describe_code(run_params["project_path"]),
            "packages": {name: version(name) for name in PACKAGES},
            "python": platform.python_version(),
        }

    @hook_impl
    def after_pipeline_run(self, pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Print what came out."""
        from mnist_kedro.summary import print_summary

        versions = catalog[PROVENANCE].load()["versions"]
        print_summary(pipeline.all_outputs(), Saved(catalog, versions))


def _parameters(pipeline: Pipeline, prefix: str = "") -> set[str]:
    """Return the names of the parameters that a pipeline reads."""
    names = (name for name in pipeline.inputs() if name.startswith("params:"))
    return {prefix + name.removeprefix("params:") for name in names}


def _warn_of_idle_parameters(runtime_params: dict[str, Any], pipeline: Pipeline) -> None:
    """Say which of the parameters given for this run none of its stages reads."""
    read = {name.split(".")[0] for name in _parameters(pipeline)} | READ_BY_HOOKS
    for name in runtime_params:
        if name not in read:
            logger.warning(
                "The parameters of %s change nothing in this run: name its stage in --pipelines.",
                name,
            )


def _versions(
    run_params: dict[str, Any],
    pipeline: Pipeline,
    catalog: DataCatalog,
    inputs: Iterable[str],
) -> dict[str, str | None]:
    """Return the version of each dataset that the run reads or writes."""
    versions = {name: latest_version(catalog, name) for name in inputs}
    for node in pipeline.nodes:
        saves = not run_params["only_missing_outputs"] or not all(map(catalog.exists, node.outputs))
        for name in node.outputs:
            versions[name] = run_params["run_id"] if saves else latest_version(catalog, name)
    return versions


def _describe_code(project_path: str) -> dict[str, Any]:
    """Return the git commit, and whether files differ from it; `None` outside of a repository."""

    def git(*command: str) -> str | None:
        try:
            done = subprocess.run(  # noqa: S603 (fixed words)
                ["git", "-C", project_path, *command],  # noqa: S607 (the user's own git)
                capture_output=True,
                check=True,
                text=True,
            )
        except (OSError, subprocess.CalledProcessError):
            return None
        return done.stdout.strip()

    status = git("status", "--porcelain")
    return {
        "git_commit": git("rev-parse", "HEAD"),
        "git_dirty": None if status is None else bool(status),
    }
