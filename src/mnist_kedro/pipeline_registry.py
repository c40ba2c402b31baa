"""Table of contents: the pipelines, in the order in which they run."""

import re
from contextvars import ContextVar
from pathlib import Path

import yaml
from kedro.framework.project import settings
from kedro.pipeline import Pipeline
from kedro.utils import find_kedro_project

from mnist_kedro.pipelines import (
    data_ingestion,
    data_split,
    final_training,
    inference,
    model_selection,
    model_training,
    test_all,
    tuning,
)

# The configuration of the context that was made last, in this thread; `hooks.py` sets it.
CONF_SOURCE: ContextVar[Path | None] = ContextVar("CONF_SOURCE", default=None)
CANDIDATES_FILE = Path("base/parameters_model_training.yml")
# A candidate's name is a namespace, a folder, part of datasets' names and of MLflow's.
NAME = re.compile("[a-z][a-z0-9_]{0,63}")
TAKEN = {"final_model"}  # a folder in data/06_models


def register_pipelines(folds: int | None = None) -> dict[str, Pipeline]:
    """Return the pipelines by name; `__default__` is what `kedro run` runs.

    Args:
        folds: Their number; each has a node per candidate. Kedro gives none: the context, which
            knows the parameters, registers anew (`session.py`).
    """
    candidates = candidate_names()
    stages = {
        "data_ingestion": data_ingestion.create_pipeline(),
        "data_split": data_split.create_pipeline(folds),
        "model_training": model_training.create_pipeline(candidates, folds),
        "model_selection": model_selection.create_pipeline(candidates, folds),
        "final_training": final_training.create_pipeline(),
        "inference": inference.create_pipeline(),
    }
    stages |= {name: _as_box(name, stage) for name, stage in stages.items()}
    pipelines = stages | {
        "final": stages["final_training"] + stages["inference"],
        "test_all": _as_box("test_all", test_all.create_pipeline(candidates)),
        "tuning": _as_box("tuning", tuning.create_pipeline()),
        "__default__": sum(stages.values(), Pipeline([])),
    }
    if taken := sorted({*pipelines, *TAKEN}.intersection(candidates)):
        raise ValueError(
            f"expected candidates with names of their own, found {', '.join(taken)}, which is the "
            f"name of another part: give it another in {CANDIDATES_FILE}"
        )
    return pipelines


def candidate_names() -> list[str]:
    """Return the candidates' names: keys of the one YAML file that lists them.

    Read as plain YAML: a second OmegaConfigLoader would take over the resolver of `${globals:…}`.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It lists no candidates, or one whose name is not as it should be.
    """
    path = _configuration() / CANDIDATES_FILE
    if not path.is_file():
        raise FileNotFoundError(
            f"expected the list of candidates in {path}, found no such file: run in the folder "
            f"that holds {settings.CONF_SOURCE}/, or name that folder with --conf-source"
        )
    candidates = (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).get("candidates")
    if not candidates:
        raise ValueError(f"expected at least one entry under 'candidates' in {path}, found none")
    for name in candidates:
        if not NAME.fullmatch(str(name)):
            raise ValueError(
                f"expected candidates in {path} to be named by small letters, digits and '_', up "
                f"to 64 with a letter first, found {name!a}"
            )
    return list(candidates)


def _as_box(name: str, stage: Pipeline) -> Pipeline:
    """Return a stage in a namespace, a box in Kedro-Viz; one that has namespaces stays as it is."""
    if any(node.namespace for node in stage.nodes):
        return stage
    return Pipeline(stage, namespace=name, prefix_datasets_with_namespace=False)


def _configuration() -> Path:
    """Return the folder of the configuration; without a context, the one of the project."""
    if source := CONF_SOURCE.get():
        return source
    project: Path = find_kedro_project(Path.cwd()) or Path(__file__).parents[2]
    return project / str(settings.CONF_SOURCE)
