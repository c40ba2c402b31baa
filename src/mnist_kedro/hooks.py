"""What a run checks before it starts, what it knows of itself, and what it prints at the end."""

from __future__ import annotations

import logging
import platform
import subprocess
from difflib import get_close_matches
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines
from kedro.io import AbstractVersionedDataset, MemoryDataset
from omegaconf import OmegaConf

import mnist_kedro
from mnist_kedro.parameters import UserError, unknown_name
from mnist_kedro.run.versions import is_parameter, pin_versions

if TYPE_CHECKING:
    from collections.abc import Generator

    from filelock import FileLock
    from kedro.framework.context import KedroContext
    from kedro.io import DataCatalog
    from kedro.pipeline import Pipeline
    from kedro.pipeline.node import Node

PROVENANCE = "provenance"  # the dataset that describes the run itself
READ_BY_HOOKS = {"tracking"}  # parameters
PACKAGES = (
    *("cleanlab", "kedro", "kedro-datasets", "matplotlib", "numpy", "onnx", "onnxruntime"),
    *("optuna", "pandas", "pillow", "plotly", "scikit-learn", "scipy", "skl2onnx"),
    "torch",
)

logger = logging.getLogger(__name__)


class ProjectHooks:
    """The project's hooks. Several runs may live in one process: what is kept, is kept by run."""

    def __init__(self) -> None:
        self._locks: dict[str, FileLock] = {}

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Tell the registry where the candidates are, and what `${project:path}` is in `conf/`."""
        from mnist_kedro.pipeline_registry import CONF_SOURCE  # and all pipelines with it

        CONF_SOURCE.set(Path(context.config_loader.conf_source))
        project = Path(context.project_path)
        OmegaConf.register_resolver(
            "project", lambda path="": (project / path).as_posix(), replace=True
        )

    @hook_impl
    def after_catalog_created(self, parameters: dict[str, Any]) -> None:
        """Refuse parameters that no pipeline reads, such as a misspelt candidate.

        Raises:
            UserError: There is one.
        """
        if any("parameters" in each.inputs() for each in pipelines.values()):
            return  # a node reads all of them
        known = {name for each in pipelines.values() for name in _parameters(each)} | READ_BY_HOOKS
        for path in (name.removeprefix("params:") for name in parameters if ":" in name):
            if any(f"{path}.".startswith(f"{k}.") or k.startswith(f"{path}.") for k in known):
                continue
            if path.startswith("candidates."):
                hint = "; new candidates go into conf/base/parameters_model_training.yml"
                raise UserError(unknown_name("parameter", path, known) + hint)
            if get_close_matches(path, known, n=1):  # others may be for files in `conf/`
                raise UserError(unknown_name("parameter", path, known))

    @hook_impl(wrapper=True)
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog
    ) -> Generator[None, Any, Any]:
        """Prepare the run before all other hooks do, and end it if one of them refuses it.

        Versions are pinned, since others may run meanwhile. The dataset `provenance` gets them,
        with all else on which the run rests.

        Raises:
            UserError: An input is not there, or another run has the same version.
        """
        from mnist_kedro.run.lock import take_version

        project, run_id = Path(run_params["project_path"]), run_params["run_id"]
        if missing := sorted(name for name in pipeline.inputs() if _is_missing(catalog, name)):
            raise UserError(
                f"expected {', '.join(missing)} to be saved by an earlier run, found nothing: "
                f"run `kedro run` first, or just the stage or candidate that saves it"
            )
        _warn_of_idle_parameters(run_params.get("runtime_params") or {}, pipeline)
        self._locks[run_id] = take_version(project, run_id)
        try:
            catalog[PROVENANCE] = {
                "run_id": run_id,
                "versions": pin_versions(
                    pipeline,
                    catalog,
                    run_id,
                    run_params["load_versions"] or {},
                    only_missing=run_params["only_missing_outputs"],
                ),
                **_describe_code(project),
                "packages": {"mnist_kedro": mnist_kedro.__version__}
                | {name: version(name) for name in PACKAGES},
                "python": platform.python_version(),
            }
            return (yield)
        except BaseException:
            self._end(run_params)
            raise

    @hook_impl(wrapper=True)
    def after_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog
    ) -> Generator[None, Any, Any]:
        """Print what came out, when other hooks have logged the run."""
        from mnist_kedro.run.summary import print_summary

        try:
            result = yield
            if run_params["only_missing_outputs"] and not _made_something(run_params, catalog):
                click.echo(
                    "Nothing to do: all outputs are saved, and none is older than its inputs."
                )
            print_summary(pipeline.all_outputs(), catalog, run_params["env"])
            return result
        finally:
            self._end(run_params)

    @hook_impl
    def on_node_error(self, error: Exception, node: Node) -> None:
        """Say where it was."""
        error.add_note(f"in {node.name}")

    @hook_impl(wrapper=True)
    def on_pipeline_error(self, run_params: dict[str, Any]) -> Generator[None, Any, Any]:
        """Let go of the version when all other hooks have done so."""
        try:
            return (yield)
        finally:
            self._end(run_params)

    def _end(self, run_params: dict[str, Any]) -> None:
        from mnist_kedro.run.lock import release

        if lock := self._locks.pop(run_params["run_id"], None):
            release(lock)


def _made_something(run_params: dict[str, Any], catalog: DataCatalog) -> bool:
    return run_params["run_id"] in catalog.load(PROVENANCE)["versions"].values()


def _parameters(pipeline: Pipeline) -> set[str]:
    """Return the names of the parameters that a pipeline reads."""
    names = (name for name in pipeline.inputs() if name.startswith("params:"))
    return {name.removeprefix("params:") for name in names}


def _is_missing(catalog: DataCatalog, name: str) -> bool:
    """Tell whether an input is not there. Of a query or a web address, only loading can tell."""
    if is_parameter(name) or name == PROVENANCE:
        return False
    dataset = catalog.get(name)
    known = dataset is None or isinstance(dataset, AbstractVersionedDataset | MemoryDataset)
    return known and not catalog.exists(name)


def _warn_of_idle_parameters(runtime_params: dict[str, Any], pipeline: Pipeline) -> None:
    """Say which of the parameters given for this run none of its stages reads."""
    read = {name.split(".")[0] for name in _parameters(pipeline)} | READ_BY_HOOKS
    for name in runtime_params:
        if name not in read:
            logger.warning(
                "The parameters of %s change nothing in this run: none of its nodes reads them.",
                name,
            )


def _describe_code(project: Path) -> dict[str, Any]:
    """Return the git commit, and whether files differ from it; `None` outside of a repository."""

    def git(*command: str) -> str | None:
        try:
            done = subprocess.run(  # noqa: S603 (fixed words)
                ["git", "-C", str(project), *command],  # noqa: S607 (the user's own git)
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
