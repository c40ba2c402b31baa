"""What MLflow learns of a run: parameters, metrics, curves, figures, data and models."""

from __future__ import annotations

import os
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow.sklearn
import numpy as np
from mlflow import MlflowClient
from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.data.numpy_dataset import from_numpy
from mlflow.entities import DatasetInput, InputTag, Metric
from mlflow.exceptions import MlflowException
from mlflow.models import infer_signature

import mnist_kedro
from mnist_kedro.charts import candidate_colours
from mnist_kedro.tracking.results import Fitted, Saved, flatten, numbers, run_tags

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kedro.io import DataCatalog
    from kedro.pipeline import Pipeline

    from mnist_kedro.classifiers.classifier import Classifier

FINAL = "final_training"  # the namespace of the stage whose model is registered
RUN_REPORTS = ("dataset_profile", "sample_grid", "split_counts", "leaderboard", "champion")
# What `mnist_kedro.classifiers` needs where a model is served.
MODEL_PACKAGES = ("lazy-loader", "numpy", "pandas", "pydantic", "scikit-learn", "torch", "tqdm")
DIGEST_LENGTH = 36  # the longest that MLflow takes
EXAMPLES = 2  # images of the input example


class TrackedRun:
    """One `kedro run` in MLflow: a parent run with a child per candidate and final model.

    Args:
        experiment_id: From `open_experiment`.
        registered_model: The name under which the final model is registered.
        run_params: As Kedro gives them to hooks.
        pipeline: What runs.
        catalog: Has `provenance`, and everything that is saved.
    """

    def __init__(
        self,
        experiment_id: str,
        registered_model: str,
        run_params: Mapping[str, Any],
        pipeline: Pipeline,
        catalog: DataCatalog,
    ) -> None:
        self.process_id = os.getpid()
        provenance = catalog.load("provenance")
        self._saved = Saved(catalog, provenance["versions"])
        self._registered_model = registered_model
        self._tags = run_tags(run_params, provenance)
        # Without those that --only-missing-outputs keeps from an earlier run.
        self._outputs = {
            name
            for name in pipeline.all_outputs()
            if provenance["versions"][name] in (None, provenance["run_id"])
        }
        self._waiting = _nodes_to_wait_for(pipeline, self._outputs)
        self._colours = candidate_colours(name for name in self._waiting if name != FINAL)
        self._client = MlflowClient()
        run = self._client.create_run(experiment_id, tags=self._tags, run_name=provenance["run_id"])
        self._run_id = run.info.run_id

    def log_parameters(self, parameters: Mapping[str, Any]) -> None:
        """Log the parameters of all stages."""
        mlflow.log_params(flatten(parameters), run_id=self._run_id)

    def log_node(self, name: str) -> None:
        """Log what became complete when the node of this name was done."""
        for child, nodes in self._waiting.items():
            nodes.discard(name)
            if not nodes:
                self._log_child(child)
        self._waiting = {child: nodes for child, nodes in self._waiting.items() if nodes}

    def log_rest(self) -> None:
        """Log what a finished run has saved and `log_node` has not logged."""
        for child in self._waiting:
            self._log_child(child)
        self._waiting = {}
        self._log_reports(RUN_REPORTS, self._run_id)
        if "dataset_profile" in self._saved.versions:
            self._log_data(self._run_id, "train", "test")
        if "champion" in self._outputs:
            champion = self._saved.load("champion")
            self.describe(f"Champion: {champion['reason']}")
            metrics = self._saved.load(f"{champion['candidate']}.metrics")
            mlflow.log_metrics(numbers(metrics), run_id=self._run_id)

    def describe(self, text: str) -> None:
        """Set the run's description."""
        self._client.set_tag(self._run_id, "mlflow.note.content", text)

    def end(self, status: str) -> None:
        """End the run as `FINISHED`, `FAILED` or `KILLED`."""
        self._client.set_terminated(self._run_id, status)

    def _log_child(self, name: str) -> None:
        final = name == FINAL
        fitted = Fitted.final(self._saved) if final else Fitted.candidate(name, self._saved)
        with mlflow.start_run(
            run_name="final_model" if final else name,
            nested=True,
            parent_run_id=self._run_id,
            tags=self._tags | self._colour(name),
            description=fitted.description,
        ) as run:
            run_id = run.info.run_id
            mlflow.log_params(fitted.hyperparameters())
            self._log_curves(run_id, fitted)
            scores = numbers(fitted.metrics)
            end = {"validation_accuracy": scores.pop("validation_accuracy")}
            mlflow.log_metrics(end, step=len(fitted.history))
            mlflow.log_metrics(scores)  # without a step: MLflow draws bars, else dots on a curve
            self._log_data(run_id, *(("train", "test") if final else ("train",)))
            self._log_reports(fitted.reports, run_id)
            model_id = self._log_model(fitted.model)
            if final:
                self._register(model_id, run_id, fitted.description)

    def _colour(self, name: str) -> dict[str, str]:
        """Return the tag that gives a candidate the colour that it has in our charts."""
        return {"mlflow.runColor": self._colours[name]} if name in self._colours else {}

    def _log_curves(self, run_id: str, fitted: Fitted) -> None:
        now = round(1000 * time.time())  # milliseconds
        points = [Metric(name, value, now, epoch) for name, epoch, value in fitted.curves()]
        self._client.log_batch(run_id, points)

    def _log_data(self, run_id: str, *splits: str) -> None:
        profile = self._saved.load("dataset_profile")
        inputs = []
        for split in splits:
            dataset = from_numpy(
                self._saved.load(f"{split}_images"),
                targets=self._saved.load(f"{split}_labels"),
                source=CodeDatasetSource({"source": profile["source"]}),
                name=f"{profile['name']}, {split}",
                digest=profile["data_sha256"][:DIGEST_LENGTH],
            )
            tags = [InputTag("mlflow.data.context", split)]
            inputs.append(DatasetInput(dataset._to_mlflow_entity(), tags))
        self._client.log_inputs(run_id, inputs)
        for name in ("name", "source", "data_sha256"):
            self._client.set_tag(run_id, f"data_{name.removeprefix('data_')}", profile[name])

    def _log_reports(self, names: Iterable[str], run_id: str) -> None:
        with tempfile.TemporaryDirectory() as folder:
            for name in names:
                self._saved.copy(name, folder)
            mlflow.log_artifacts(folder, run_id=run_id)

    def _log_model(self, model: Classifier) -> str:
        examples = np.array(self._saved.load("train_images")[:EXAMPLES])
        info = mlflow.sklearn.log_model(
            model,
            name="model",
            serialization_format="pickle",  # as in the catalog: skops knows no network of ours
            signature=infer_signature(examples, self._saved.load("train_labels")[:EXAMPLES]),
            input_example=examples,
            pip_requirements=[f"{name}=={version(name)}" for name in MODEL_PACKAGES],
            code_paths=[str(Path(mnist_kedro.__file__).parent)],  # loads where we are not installed
        )
        return str(info.model_id)

    def _register(self, model_id: str, run_id: str, description: str) -> None:
        name = self._registered_model
        try:
            self._client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        registered = self._client.create_model_version(
            name, f"models:/{model_id}", run_id, model_id=model_id, description=description
        )
        self._client.set_registered_model_alias(name, "champion", registered.version)


def _nodes_to_wait_for(pipeline: Pipeline, outputs: Iterable[str]) -> dict[str, set[str]]:
    """Return the nodes of each candidate and stage whose outputs make a child run."""
    children = [name.removesuffix(".metrics") for name in outputs if name.endswith(".metrics")]
    if "final_metrics" in outputs:
        children.append(FINAL)
    return {
        child: {node.name for node in pipeline.nodes if node.namespace == child}
        for child in children
    }
