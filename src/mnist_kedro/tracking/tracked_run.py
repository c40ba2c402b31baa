"""What MLflow learns of a run: parameters, metrics, curves, figures, data and models.

All of it goes through one client: MLflow's active run, experiment and address belong to the whole
process, in which there may be other runs.
"""

from __future__ import annotations

import json
import math
import time
from contextlib import contextmanager
from datetime import datetime
from importlib.metadata import version
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory
from threading import Lock
from typing import TYPE_CHECKING, Any

import mlflow.sklearn
import numpy as np
import yaml
from mlflow import entities
from mlflow.models import Model, infer_signature
from pydantic_core import to_jsonable_python

import mnist_kedro
from mnist_kedro.datasets.files import FileDataset
from mnist_kedro.evaluation.charts import candidate_colours
from mnist_kedro.evaluation.metrics import accuracy_text
from mnist_kedro.lazy import pd
from mnist_kedro.parameters import public_address
from mnist_kedro.run.lock import is_alive
from mnist_kedro.run.summary import run_description, run_name
from mnist_kedro.tracking.registry import PROJECT, RUN, mirror_promotion
from mnist_kedro.tracking.store import (
    is_server,
    open_experiment,
    project_tag,
    unless_it_exists,
)
from mnist_kedro.tracking.views import links, save_views

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kedro.io import DataCatalog
    from kedro.pipeline import Pipeline
    from mlflow import MlflowClient

    from mnist_kedro.classifiers.build import Classifier
    from mnist_kedro.tracking.store import TrackingParameters

PROFILE = "dataset_profile"
PRIVATE = ("tracking.", "tuning.storage")  # parameters
REPORTS = {  # of the whole run
    *("dataset_profile", "sample_grid", "leaderboard", "champion"),
    *("fold_scores", "fold_leaderboard", "test_leaderboard", "tuning_trials", "tuning_chart"),
}
MODELS = (".metrics", "final_metrics", "tuning_trials")  # ends of what comes with a child run
COPIED = {".csv", ".json", ".md", ".png"}  # files that people read; models go another way
DIGEST_LENGTH = 36  # the longest that MLflow takes
DECIMALS = 6  # of metrics: more would not fit into MLflow's columns
# What `mnist_kedro.classifiers` needs where a model is served.
PACKAGES = ("lazy-loader", "numpy", "pandas", "pydantic", "scikit-learn", "torch", "tqdm")
EXAMPLES = 2  # images of a model's input example


class TrackedRun:
    """One `kedro run` in MLflow: a parent run with a child per candidate, final model and trial.

    It starts in MLflow as soon as it is known on which data it rests, since each data set has an
    experiment: at once, or when they are ingested.

    Args:
        client: Of MLflow, from `open_store`.
        parameters: Those of tracking.
        run_params: As Kedro gives them to hooks.
        pipeline: What runs.
        catalog: Has `provenance`, and everything that is saved.
    """

    def __init__(
        self,
        client: MlflowClient,
        parameters: TrackingParameters,
        run_params: Mapping[str, Any],
        pipeline: Pipeline,
        catalog: DataCatalog,
    ) -> None:
        self._client, self._parameters, self._catalog = client, parameters, catalog
        provenance = catalog.load("provenance")
        versions = provenance["versions"]
        self._nodes = {  # by all that this run itself saves
            output: node
            for node in pipeline.nodes
            for output in node.outputs
            if versions[output] in (None, provenance["run_id"])
        }
        # Its data, if no stage says so itself, are those that were ingested last.
        described = [name for name in versions if name.endswith(("metrics", "champion"))]
        first = [PROFILE] if PROFILE in versions else []
        self._descriptions = [*first, *described, PROFILE]
        self._unlogged = [name for name in self._nodes if name.endswith(MODELS)]
        self._logging = Lock()  # nodes may run in several threads
        self._children: dict[str | None, str] = {}  # ids of runs, by the namespace of their nodes
        self._open: list[str] = []  # ids of runs that have not ended
        self._project = Path(run_params["project_path"]).resolve()
        pipelines = [name for name in run_params["pipeline_names"] or () if name != "__default__"]
        self._asked = list(run_params["namespaces"] or pipelines)
        self._tags = {
            PROJECT: project_tag(self._project),
            RUN: provenance["run_id"],
            "pipeline": ", ".join(self._asked) or "__default__",
            "runner": run_params["runner"].partition(" object")[0].rpartition(".")[2],
            "commit": provenance["git_commit"] or "",
            "git_dirty": str(provenance["git_dirty"]),
        }
        self._start_time = _now()
        self.log_models()

    def log_models(self) -> None:
        """Log, once, each model that is saved with its scores, and the trials of a search."""
        with self._logging:
            if not self._open:
                if not (known := list(filter(self._catalog.exists, self._descriptions))):
                    return
                self._start_run(self._catalog.load(known[0]))
            for name in self._unlogged.copy():
                if self._is_made(name):
                    self._unlogged.remove(name)
                    if name == "tuning_trials":
                        self._log_trials(self._catalog.load(name))
                    elif name == "final_metrics":
                        self._log_final_model()
                    else:
                        self._log_candidate(name.removesuffix(".metrics"))

    def log_rest(self, reason: str = "") -> None:
        """Log all that is saved and that `log_models` has not logged, and why the run failed."""
        self.log_models()
        self._start_at_the_latest()
        self._log_files()
        provenance = dict(self._catalog.load("provenance"))
        environment = {key: provenance.pop(key) for key in ("python", "packages")}
        self._client.log_dict(self._run_id, environment, "environment.json")
        self._client.log_dict(self._run_id, provenance, "provenance.json")
        if self._is_made("champion"):
            champion = self._catalog.load("champion")["candidate"]
            self._log(self._run_id, metrics=_metrics(self._catalog.load(f"{champion}.metrics")))
        if self._is_made("promotion"):
            decision = self._catalog.load("promotion")
            mirror_promotion(self._client, self._model_name, self._tags[PROJECT], decision)
        description = run_description(self._made(), self._catalog, reason)
        self._client.set_tag(self._run_id, "mlflow.note.content", description)
        self._client.update_run(self._run_id, name=self._name())

    def end(self, status: str) -> None:
        """End the run, and a child that is still open, as `FINISHED`, `FAILED` or `KILLED`."""
        self._start_at_the_latest()
        for run_id in reversed(self._open):
            self._client.set_terminated(run_id, status)

    def way_there(self) -> str:
        """Return what shows the run: a command, or a link."""
        uri = self._client.tracking_uri
        if is_server(uri):
            return next(iter(links(uri, self._experiment_id).values()))
        return "make ui  compares runs"

    def _start_at_the_latest(self) -> None:
        if not self._open:
            self._start_run({"name": self._catalog.load("parameters")["data_ingestion"]["name"]})

    def _is_made(self, name: str) -> bool:
        """Tell whether this run has saved a dataset, and all others of its node."""
        node = self._nodes.get(name)
        return node is not None and all(map(self._catalog.exists, node.outputs))

    def _made(self) -> set[str]:
        return set(filter(self._is_made, self._nodes))

    def _name(self) -> str:
        return run_name(self._made(), self._catalog, self._data.name, self._asked)

    def _start_run(self, data: Mapping[str, Any]) -> None:
        """Start the run in MLflow, in the experiment of its data."""
        self._tags["data"] = name = data.get("name") or data["data"]
        experiment, self._model_name = self._parameters.names(name)
        self._experiment_id = open_experiment(self._client, experiment, self._project)
        self._end_killed_runs()
        about = {key: data[key] for key in ("source", "data_sha256") if key in data}
        digest = data.get("data_sha256", "")[:DIGEST_LENGTH]
        self._data = entities.Dataset(name, digest, "code", json.dumps({"tags": about}))
        self._run_id = self._start(self._name(), self._tags, self._start_time)
        self._log(self._run_id, _public_parameters(self._catalog.load("parameters")))

    def _end_killed_runs(self) -> None:
        """Give runs of this project, on this machine, the status that `kill -9` left open."""
        for run in self._client.search_runs([self._experiment_id], "status = 'RUNNING'"):
            tags = run.data.tags
            ours = tags.get(PROJECT) == self._tags[PROJECT]
            if ours and not is_alive(self._project, tags[RUN]):
                self._client.set_terminated(run.info.run_id, "KILLED")

    def _start(self, name: str, tags: Mapping[str, str], start_time: int | None = None) -> str:
        run = self._client.create_run(self._experiment_id, start_time, dict(tags), name)
        self._open.append(run.info.run_id)
        if self._data.digest:
            inputs = [entities.DatasetInput(self._data, tags=[])]
            self._client.log_inputs(run.info.run_id, inputs)
        return str(run.info.run_id)

    @contextmanager
    def _child(
        self, name: str, tags: Mapping[str, str], fit: Mapping[str, Any] | None = None
    ) -> Iterator[str]:
        """Start a child run, and end it after the block; yields its id.

        It begins and ends when its fit did, of which `fit` has `fit_started` and `fit_seconds`.
        """
        times: list[int] = []
        if fit:
            began = datetime.fromisoformat(fit["fit_started"]).timestamp()
            times = [round(1000 * (began + seconds)) for seconds in (0, fit["fit_seconds"])]
        tags = self._tags | {"mlflow.parentRunId": self._run_id, **tags}
        run_id = self._start(name, tags, *times[:1])
        yield run_id
        self._client.set_terminated(run_id, end_time=times[1] if fit else None)
        self._open.remove(run_id)

    def _log_candidate(self, name: str) -> None:
        metrics = self._catalog.load(f"{name}.metrics")
        colours = candidate_colours(self._catalog.load("parameters")["candidates"])
        settings = to_jsonable_python(metrics["settings"]["hyperparameters"])
        line = yaml.safe_dump(settings, default_flow_style=True, sort_keys=False, width=math.inf)
        accuracy = f"{accuracy_text(metrics, 'validation')} of the validation images"
        description = f"{accuracy}, with `{line.strip()}`"  # short, or MLflow folds it
        tags = {"mlflow.runColor": colours[name], "mlflow.note.content": description}
        if not self._children:  # as soon as there is something to see
            save_views(self._client, self._experiment_id, self._run_id, self._data.digest)
        with self._child(name, tags, metrics) as run_id:
            self._children[name] = run_id
            settings, model_id = metrics["settings"], None
            if self._parameters.models == "all":
                model_id = self._log_model(run_id, f"{name}.model", settings).model_id
            self._log_fitted(run_id, f"{name}.", settings, metrics, model_id)

    def _log_final_model(self) -> None:
        champion, metrics = map(self._catalog.load, ("champion", "final_metrics"))
        scores = {key: champion[key] for key in champion if key.startswith("validation_")} | metrics
        description = (
            f"{champion['candidate']}, fitted on all training images of {metrics['data']}: "
            f"test accuracy {accuracy_text(metrics, 'test')} on {metrics['n_test']:,} images. "
            f"{champion['reason']} Its validation accuracy is that of the champion before it was "
            f"fitted again; all other scores are of the test images."
        )
        with self._child("final_model", {"mlflow.note.content": description}, metrics) as run_id:
            self._children[self._nodes["final_metrics"].namespace] = run_id
            model = self._log_model(run_id, "final_model", champion["settings"])
            self._log_fitted(run_id, "final_", champion["settings"], scores, model.model_id)
            accuracies = {key: scores[key] for key in scores if "_accuracy" in key}
            self._log(self._run_id, metrics=_metrics(accuracies))
            with unless_it_exists():
                self._client.create_registered_model(self._model_name)
            tags = {key: str(metrics[key]) for key in ("data", "test_accuracy")}
            self._client.create_model_version(
                self._model_name,
                model.artifact_location,  # MLflow would look for `models:/…` in its active store
                run_id,
                tags | {key: self._tags[key] for key in (PROJECT, RUN)},
                description=description,
                model_id=model.model_id,
            )

    def _log_trials(self, trials: pd.DataFrame) -> None:
        for row in trials.sort_values("trial").to_dict("records"):
            tags = {"trial_state": row["state"]}
            with self._child(f"trial_{row.pop('trial')}", tags) as run_id:
                parameters = {name: str(row.pop(name)) for name in ("candidate", "learning_rate")}
                self._log(run_id, parameters, _metrics(row))

    def _log_model(
        self, run_id: str, name: str, settings: Mapping[str, Any]
    ) -> entities.LoggedModel:
        """Log the model of this name in the catalog."""
        fitted = self._catalog.load(name)
        model = self._client.create_logged_model(
            self._experiment_id, "model", run_id, params=_hyperparameters(fitted, settings)
        )
        examples = np.array(self._catalog.load("train_images")[:EXAMPLES])
        with TemporaryDirectory() as folder:
            mlflow.sklearn.save_model(
                fitted,
                folder,
                mlflow_model=Model(run_id=run_id, model_id=model.model_id),
                serialization_format="pickle",  # as in the catalog: skops knows no network of ours
                signature=infer_signature(examples, fitted.predict(examples)),
                input_example=examples,
                # Without the build's name, `+cpu`: package indexes do not have it.
                pip_requirements=[f"{p}=={version(p).partition('+')[0]}" for p in PACKAGES],
                # The model loads where the project is not installed.
                code_paths=[str(Path(mnist_kedro.__file__).parent)],
            )
            self._client.log_model_artifacts(model.model_id, folder)
        self._client.log_outputs(run_id, [entities.LoggedModelOutput(model.model_id, step=0)])
        self._client.finalize_logged_model(model.model_id, "READY")
        return model

    def _log_fitted(
        self,
        run_id: str,
        prefix: str,
        settings: Mapping[str, Any],
        scores: Mapping[str, Any],
        model_id: str | None,
    ) -> None:
        """Log the settings of a model and its history, which have this prefix, and its scores."""
        parameters = _hyperparameters(self._catalog.load(f"{prefix}model"), settings)
        # The score of the fitted model ends the curve, in the place of the last epoch's.
        others = dict(scores)
        end = {"validation_accuracy": others.pop("validation_accuracy")}
        history = self._catalog.load(f"{prefix}history").set_index("epoch")
        curves = history.drop(columns=["seconds", "cpu_seconds"])
        curves.loc[len(curves), "validation_accuracy"] = np.nan
        metrics = _metrics(others, 0, model_id) + _metrics(end, len(curves), model_id)
        for epoch, row in curves.iterrows():
            metrics += _metrics(row, epoch)
        self._log(run_id, parameters, metrics)

    def _log(
        self,
        run_id: str,
        parameters: Mapping[str, str] = {},
        metrics: Sequence[entities.Metric] = (),
    ) -> None:
        params = [entities.Param(*each) for each in parameters.items()]
        self._client.log_batch(run_id, metrics, params)

    def _log_files(self) -> None:
        """Log the files that people read, as they were saved."""
        with TemporaryDirectory() as folder:
            for name, node in self._nodes.items():
                run_id = self._run_id if name in REPORTS else self._children.get(node.namespace)
                dataset = self._catalog.get(name)
                if (
                    run_id
                    and isinstance(dataset, FileDataset)
                    and PurePath(dataset.place()).suffix in COPIED
                    and self._catalog.exists(name)
                ):
                    self._client.log_artifact(run_id, str(dataset.copy_to(Path(folder))))


def _public_parameters(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Return those that everybody may see, flat, without the passwords in addresses."""
    return {
        name: public_address(value)
        for name, value in _flatten(parameters).items()
        if not name.startswith(PRIVATE)
    }


def _hyperparameters(model: Classifier, settings: Mapping[str, Any]) -> dict[str, str]:
    """Return all of a candidate's settings, and those of its classifier that no file names."""
    steps = getattr(model, "steps", None)  # a Pipeline: its last step is the classifier
    classifier: Any = steps[-1][1] if steps else model
    named = {name: value for name, value in settings.items() if name != "hyperparameters"}
    return _flatten(named | classifier.get_params(deep=False))


def _flatten(values: Mapping[str, Any]) -> dict[str, str]:
    """Return nested parameters as texts, with dots between the levels' names."""
    plain = to_jsonable_python(values, fallback=str)  # as in YAML: no tuples
    return {str(name): str(value) for name, value in pd.json_normalize(plain).iloc[0].items()}


def _metrics(
    values: Mapping[Any, Any], step: int = 0, model_id: str | None = None
) -> list[entities.Metric]:
    """Return those of these values that are numbers as MLflow's metrics, measured now."""
    return [
        entities.Metric(name, round(value, DECIMALS), _now(), step, model_id)
        for name, value in values.items()
        if isinstance(value, int | float) and not np.isnan(value)
    ]


def _now() -> int:
    return round(1000 * time.time())  # milliseconds
