"""What a run has saved, in the words of MLflow: parameters, curves, tags, descriptions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic_core import to_jsonable_python

from mnist_kedro.evaluation.metrics import accuracy_text
from mnist_kedro.lazy import pd
from mnist_kedro.parameters import public_address
from mnist_kedro.tracking.store import project_tag

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mnist_kedro.classifiers.classifier import Classifier

PRIVATE = ("tracking.", "tuning.storage")  # parameters


def public_parameters(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Return those that everybody may see, flat, without the passwords in addresses."""
    return {
        name: public_address(value)
        for name, value in _flatten(parameters).items()
        if not name.startswith(PRIVATE)
    }


def hyperparameters(model: Classifier, settings: Mapping[str, Any]) -> dict[str, str]:
    """Return all of a candidate's settings, and those of its classifier that no file names."""
    steps = getattr(model, "steps", None)  # a Pipeline: its last step is the classifier
    classifier: Any = steps[-1][1] if steps else model
    named = {"transformers": []} | dict(settings)  # older settings have none
    named.pop("hyperparameters", None)
    return _flatten(named | classifier.get_params(deep=False))


def curves(history: pd.DataFrame) -> Iterator[tuple[str, int, float]]:
    """Yield name, epoch and value of each point of a history.

    The last validation accuracy is left out: the score of the fitted model takes its place.
    """
    for name in history.columns.drop(["epoch", "seconds"]):
        for epoch, value in zip(history["epoch"], history[name], strict=True):
            if pd.notna(value) and (name, epoch) != ("validation_accuracy", len(history)):
                yield name, int(epoch), float(value)


def run_tags(run_params: Mapping[str, Any], provenance: Mapping[str, Any]) -> dict[str, str]:
    """Return what a run rests on: code, packages, versions of data, pipeline and runner."""
    tags = {
        "kedro_run_id": provenance["run_id"],
        "kedro_pipeline": ", ".join(run_params["pipeline_names"] or ["__default__"]),
        "kedro_runner": run_params["runner"].partition(" object")[0].rpartition(".")[2],
        "kedro_project": project_tag(Path(run_params["project_path"])),
        "mlflow.source.git.commit": provenance["git_commit"],
        "git_dirty": provenance["git_dirty"],
        "python": provenance["python"],
        "dataset_versions": json.dumps(provenance["versions"]),
    }
    tags |= {f"package.{name}": number for name, number in provenance["packages"].items()}
    return {key: str(value) for key, value in tags.items() if value is not None}


def describe_final_model(champion: Mapping[str, Any], metrics: Mapping[str, Any]) -> str:
    """Return some sentences on the final model, in Markdown."""
    return (
        f"**{champion['candidate']}**, fitted on all training images of {metrics['data']}: test "
        f"accuracy {accuracy_text(metrics, 'test')} on {metrics['n_test']:,} images. "
        f"{champion['reason']} Its validation accuracy is that of the champion before it was "
        f"fitted again; all other scores are of the test images."
    )


def numbers(metrics: Mapping[Any, Any]) -> dict[str, float]:
    """Return the metrics that are numbers."""
    return {key: value for key, value in metrics.items() if isinstance(value, int | float)}


def _flatten(values: Mapping[str, Any]) -> dict[str, str]:
    """Return nested parameters as texts, with dots between the levels' names."""
    plain = to_jsonable_python(values, fallback=str)
    return {str(name): str(value) for name, value in pd.json_normalize(plain).iloc[0].items()}
