"""What a run has saved, as MLflow is to learn of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from pydantic_core import to_jsonable_python

from mnist_kedro.evaluation.metrics import accuracy_text
from mnist_kedro.lazy import pd
from mnist_kedro.parameters import public_address

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mnist_kedro.classifiers.build import Classifier
    from mnist_kedro.run.saved import Saved

RUN_ID = "kedro_run_id"  # the tag with the version of all that a run saves
PRIVATE = ("tracking.", "tuning.storage")  # parameters


@dataclass(frozen=True)
class Fitted:
    """A fitted model and what was measured of it."""

    name: str
    model: Classifier
    metrics: Mapping[str, Any]
    history: pd.DataFrame
    settings: Mapping[str, Any]
    splits: tuple[str, ...]  # of the data on which its scores rest
    description: str

    def hyperparameters(self) -> dict[str, Any]:
        """Return all of them, those that no file names included."""
        steps = getattr(self.model, "steps", None)  # a Pipeline: its last step is the classifier
        classifier: Any = steps[-1][1] if steps else self.model
        named = {"transformers": []} | {  # older settings have none
            name: value for name, value in self.settings.items() if name != "hyperparameters"
        }
        return flatten(named | classifier.get_params(deep=False))

    def curves(self) -> Iterator[tuple[str, int, float]]:
        """Yield name, epoch and value of each point of the history.

        The last validation accuracy is left out: the score of the fitted model takes its place.
        """
        table = self.history.drop(columns="seconds").set_index("epoch")
        for name, curve in table.items():
            for epoch, value in curve.dropna().items():
                if (name, epoch) != ("validation_accuracy", len(self.history)):
                    yield str(name), cast("int", epoch), float(value)

    @classmethod
    def candidate(cls, name: str, saved: Saved) -> Fitted:
        """Take a candidate's results from the catalog."""
        metrics = saved.load(f"{name}.metrics")
        return cls(
            name=name,
            model=saved.load(f"{name}.model"),
            metrics=metrics,
            history=saved.load(f"{name}.history"),
            settings=metrics["settings"],
            splits=("train",),
            description=f"**{name}** on {metrics['data']}: validation accuracy "
            f"{accuracy_text(metrics, 'validation')}, fitted in {metrics['fit_seconds']:.3g} s.",
        )

    @classmethod
    def final(cls, saved: Saved) -> Fitted:
        """Take the final model's results from the catalog."""
        champion, metrics = saved.load("champion"), saved.load("final_metrics")
        validation = {key: champion[key] for key in champion if key.startswith("validation_")}
        return cls(
            name="final_model",
            model=saved.load("final_model"),
            metrics=validation | metrics,
            history=saved.load("final_history"),
            settings=champion["settings"],
            splits=("train", "test"),
            description=f"**{champion['candidate']}**, fitted on all training images of "
            f"{metrics['data']}: test accuracy {accuracy_text(metrics, 'test')} on "
            f"{metrics['n_test']:,} images. "
            f"{champion['reason']} Its validation accuracy is that of the champion before it was "
            f"fitted again; all other scores are of the test images.",
        )


def flatten(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested parameters with dots between the levels' names."""
    plain = to_jsonable_python(values, fallback=str)
    return dict(pd.json_normalize(plain).iloc[0])


def public_parameters(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return those that everybody may see, flat, without the passwords in addresses."""
    named = flatten(parameters).items()
    return {name: _public(value) for name, value in named if not name.startswith(PRIVATE)}


def run_tags(run_params: Mapping[str, Any], provenance: Mapping[str, Any]) -> dict[str, str]:
    """Return what a run rests on: code, packages, versions of data, pipeline and runner."""
    tags = {
        RUN_ID: provenance["run_id"],
        "kedro_pipeline": ", ".join(run_params["pipeline_names"] or ["__default__"]),
        "kedro_runner": run_params["runner"].partition(" object")[0].rpartition(".")[2],
        "mlflow.source.git.commit": provenance["git_commit"],
        "git_dirty": provenance["git_dirty"],
        "python": provenance["python"],
        "dataset_versions": json.dumps(provenance["versions"]),
    }
    tags |= {f"package.{name}": number for name, number in provenance["packages"].items()}
    return {key: str(value) for key, value in tags.items() if value is not None}


def numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Return the metrics that are numbers."""
    return {key: value for key, value in metrics.items() if isinstance(value, int | float)}


def _public(value: Any) -> Any:  # noqa: ANN401 (whatever YAML has)
    if isinstance(value, list):
        return [_public(item) for item in value]
    return public_address(value) if isinstance(value, str) else value
