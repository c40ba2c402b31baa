"""Table of contents: the pipelines, in the order in which they run."""

import pkgutil
import re
from contextvars import ContextVar
from importlib import import_module
from pathlib import Path

import yaml
from kedro.framework.project import settings
from kedro.pipeline import Pipeline
from kedro.utils import find_kedro_project

from mnist_kedro import pipelines
from mnist_kedro.parameters import UserError
from mnist_kedro.pipelines import (
    cross_validation,
    data_ingestion,
    data_split,
    final_training,
    inference,
    model_selection,
    model_training,
    test_all,
    tuning,
)

CONF_SOURCE: ContextVar[Path | None] = ContextVar("CONF_SOURCE", default=None)
"""The configuration folder of the session; `hooks.py` sets it as soon as Kedro has a context.

A session asks for the pipelines after that, so it gets its own candidates, wherever it was started.
But Kedro keeps the pipelines of a process: a second session, with another `conf_source`, sees the
candidates of the first, unless `bootstrap_project` comes between them.
"""
CANDIDATES_FILE = Path("base/parameters_model_training.yml")
# A candidate's name is a namespace, a folder, and a part of the names of datasets and MLflow runs.
NAME = re.compile("[a-z][a-z0-9_]{0,63}")
# Names that a candidate cannot have: those of the stages, and of a folder in data/06_models.
STAGES = {name for _, name, is_package in pkgutil.iter_modules(pipelines.__path__) if is_package}
TAKEN = STAGES | {"final", "final_model"}


def register_pipelines() -> dict[str, Pipeline]:
    """Return the pipelines by name; `__default__` is what `kedro run` runs.

    A stage that `kedro pipeline create` adds needs no line here: it runs alone and by default.

    Raises:
        UserError: There are no candidates, or a candidate's name is impossible or taken.
    """
    candidates = candidate_names()
    stages = {
        "data_ingestion": data_ingestion.create_pipeline(),
        "data_split": data_split.create_pipeline(),
        "model_training": model_training.create_pipeline(candidates),
        "model_selection": model_selection.create_pipeline(candidates),
        "final_training": final_training.create_pipeline(),
        "inference": inference.create_pipeline(),
    }
    experiments = {
        "cross_validation": cross_validation.create_pipeline(candidates),
        "test_all": test_all.create_pipeline(candidates),
        "tuning": tuning.create_pipeline(),
    }
    stages = {name: _as_box(name, stage) for name, stage in stages.items()}
    experiments = {name: _as_box(name, stage) for name, stage in experiments.items()}
    # Kedro's find_pipelines would import only what `--pipelines` names, and `final` is two of them.
    for name in sorted(STAGES - {*stages, *experiments}):
        stages[name] = import_module(f"{pipelines.__name__}.{name}").create_pipeline()
    return {
        **stages,
        **experiments,
        "final": stages["final_training"] + stages["inference"],
        "__default__": sum(stages.values(), Pipeline([])),
    }


def candidate_names() -> list[str]:
    """Return the candidates' names: keys of the one YAML file that lists them.

    Read as plain YAML: a second OmegaConfigLoader would take over the resolver of `${globals:…}`.

    Raises:
        UserError: There is no such file, it lists no candidates, or a name is impossible or taken.
    """
    path = _conf_source() / CANDIDATES_FILE
    if not path.is_file():
        raise UserError(
            f"expected the list of candidates in {path}, found no such file: run in the folder "
            f"that holds {settings.CONF_SOURCE}/, or name that folder with --conf-source"
        )
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise UserError(f"expected YAML in {path}, found {' '.join(str(error).split())}") from error
    candidates = content.get("candidates") if isinstance(content, dict) else None
    if not candidates or not isinstance(candidates, dict):
        raise UserError(f"expected at least one entry under 'candidates' in {path}, found none")
    for name in candidates:
        if not NAME.fullmatch(str(name)):
            raise UserError(
                f"expected candidates in {path} to be named by small letters, digits and '_', up "
                f"to 64 with a letter first, found {name!a}"
            )
        if name in TAKEN:
            raise UserError(
                f"expected candidates in {path} with names of their own, found {name}, which is "
                f"the name of another part: choose another"
            )
    return list(candidates)


def _conf_source() -> Path:
    """Return the configuration folder of the session or, without one, that of the project."""
    if source := CONF_SOURCE.get():
        return source
    project = Path(__file__).parents[2]
    if not (project / settings.CONF_SOURCE).is_dir():  # this code was installed without it
        project = find_kedro_project(Path.cwd()) or Path.cwd()
    return project / str(settings.CONF_SOURCE)


def _as_box(name: str, stage: Pipeline) -> Pipeline:
    """Return a stage in a namespace, a box in Kedro-Viz; one that has namespaces stays as it is."""
    if any(node.namespace for node in stage.nodes):
        return stage
    return Pipeline(stage, namespace=name, prefix_datasets_with_namespace=False)
