"""What a run checks before it starts, what it knows of itself, and what it prints at the end."""

from __future__ import annotations

import logging
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines

from mnist_kedro.parameters import unknown_name
from mnist_kedro.run.plan import PROVENANCE, RunPlan, package_code
from mnist_kedro.run.recording import Recording
from mnist_kedro.run.runs import LivingRun, remove_left_overs
from mnist_kedro.run.saved import Saved

if TYPE_CHECKING:
    from kedro.framework.context import KedroContext
    from kedro.io import DataCatalog
    from kedro.pipeline import Pipeline
    from kedro.pipeline.node import Node

READ_BY_HOOKS = {"tracking"}  # parameters
PACKAGES = (
    *("cleanlab", "kedro", "kedro-datasets", "matplotlib", "mnist_kedro", "numpy", "onnx"),
    *("onnxruntime", "onnxscript", "optuna", "pandas", "pillow", "plotly", "scikit-learn", "scipy"),
    *("skl2onnx", "torch"),
)


logger = logging.getLogger(__name__)


class ProjectHooks:
    """The project's hooks."""

    def __init__(self) -> None:
        self._recording: Recording | None = None

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Let the candidates be those of the configuration that this session reads."""
        # Not above: with the pipelines imported, Kedro's reading of the settings would load pandas.
        from mnist_kedro.pipeline_registry import CONF_SOURCE

        CONF_SOURCE.set(Path(context.config_loader.conf_source))

    @hook_impl
    def after_catalog_created(self, parameters: dict[str, Any]) -> None:
        """Refuse parameters that no pipeline reads, such as a misspelt candidate.

        Raises:
            ValueError: There is one.
        """
        package_code()  # as it is now: in a notebook, files may be edited before a run begins
        known = {name for each in pipelines.values() for name in _parameters(each)} | READ_BY_HOOKS
        for name in parameters:
            path = name.removeprefix("params:")
            if path == name:  # "parameters", all of them together
                continue
            if not any(f"{path}.".startswith(f"{k}.") or k.startswith(f"{path}.") for k in known):
                new = path.startswith("candidates.")
                hint = "; new candidates go into conf/base/parameters_model_training.yml" * new
                raise ValueError(unknown_name("parameter", path, known) + hint)

    @hook_impl
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog
    ) -> None:
        """Check that all inputs are saved, and settle on their versions, others may run meanwhile.

        The dataset `provenance` gets them, with all else on which the run rests.

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
        project, run_id = Path(run_params["project_path"]), run_params["run_id"]
        packages = {name: version(name) for name in PACKAGES}
        plan = RunPlan(
            *(project, run_id, pipeline, catalog),
            packages | {"python": platform.python_version()},
            only_missing=run_params["only_missing_outputs"],
        )
        plan.pin()
        self._end()  # the run before, which Ctrl-C ended in a notebook
        remove_left_overs(project)
        run = LivingRun(project, run_id, plan.files())
        self._recording = Recording(run, plan, catalog, [node.name for node in pipeline.nodes])
        catalog[PROVENANCE] = {
            "run_id": run_id,
            "versions": plan.versions,
            **_describe_code(run_params["project_path"]),
            "packages": packages,
            "python": platform.python_version(),
        }

    @hook_impl
    def after_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog
    ) -> None:
        """Print what came out."""
        from mnist_kedro.run.summary import print_summary

        if self._recording:
            self._recording.finish_all()
        self._end()
        versions = catalog[PROVENANCE].load()["versions"]
        print_summary(pipeline.all_outputs(), Saved(catalog, versions), run_params["env"])

    @hook_impl
    def on_node_error(self, error: Exception, node: Node) -> None:
        """Say where it was."""
        error.add_note(f"in {node.name}")

    @hook_impl
    def on_pipeline_error(self) -> None:
        """Say how to go on."""
        if self._recording:
            self._recording.say_how_to_go_on()
        self._end()

    def _end(self) -> None:
        if self._recording:
            self._recording.end()
            self._recording = None


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
                "The parameters of %s change nothing in this run: none of its nodes reads them.",
                name,
            )


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
