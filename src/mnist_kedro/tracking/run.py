"""What MLflow learns of a run: parameters, metrics, curves, figures, data and models."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow
from mlflow import MlflowClient
from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.data.numpy_dataset import from_numpy
from mlflow.entities import DatasetInput, InputTag, Metric

from mnist_kedro.evaluation.charts import candidate_colours
from mnist_kedro.run.saved import Saved
from mnist_kedro.tracking.children import child_run, log_folds, log_trials
from mnist_kedro.tracking.models import log_model, register_model
from mnist_kedro.tracking.results import RUN_ID, Fitted, numbers, public_parameters, run_tags

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from kedro.io import DataCatalog
    from kedro.pipeline import Pipeline
    from mlflow.entities import Run

RUN_REPORTS = (
    *("dataset_profile", "sample_grid", "split_counts", "leaderboard", "champion"),
    *("fold_scores", "fold_leaderboard", "test_leaderboard", "tuning_trials", "tuning_chart"),
)
COPIED = {".csv", ".json", ".md", ".png"}  # files that people read; models go another way
DIGEST_LENGTH = 36  # the longest that MLflow takes


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
        provenance = catalog.load("provenance")
        self._saved = Saved(catalog, provenance["versions"])
        self._registered_model = registered_model
        self._tags = run_tags(run_params, provenance)
        self._nodes = {node.name: node for node in pipeline.nodes}
        self._outputs = {  # without those that --only-missing-outputs keeps from an earlier run
            name
            for name in pipeline.all_outputs()
            if provenance["versions"][name] in (None, provenance["run_id"])
        }
        self._colours = candidate_colours(catalog.load("parameters")["candidates"])
        self._children: dict[str, str] = {}  # ids of runs, by the namespace of their nodes
        self._client = MlflowClient()
        run = self._client.create_run(experiment_id, tags=self._tags, run_name=provenance["run_id"])
        self._run_id, self._experiment_id = run.info.run_id, experiment_id

    def log_parameters(self, parameters: Mapping[str, Any]) -> None:
        """Log the parameters of all stages, without passwords."""
        mlflow.log_params(public_parameters(parameters), run_id=self._run_id)

    def log_node(self, name: str) -> None:
        """Log what the node of this name has saved: a model with its scores, or their reports."""
        node = self._nodes.pop(name)
        namespace = node.namespace or ""
        outputs = [output for output in node.outputs if output in self._outputs]
        for output in outputs:
            if output.endswith(".metrics"):
                self._log_child(namespace, Fitted.candidate(namespace, self._saved))
            if output == "final_metrics":
                self._log_child(namespace, Fitted.final(self._saved))
            if output == "tuning_trials":
                log_trials(self._saved.load(output), self._run_id, self._tags)
            if output.endswith(".pooled_metrics"):
                self._log_folds(namespace, self._saved.load(output))
        if child := self._children.get(namespace):
            self._log_files(outputs, child)

    def log_rest(self) -> None:
        """Log what a finished run has saved and `log_node` has not logged."""
        for name in list(self._nodes):
            self.log_node(name)
        self._log_files(self._outputs.intersection(RUN_REPORTS), self._run_id)
        if "champion" in self._outputs:
            champion = self._saved.load("champion")
            self.describe(f"Champion: {champion['reason']}")
            kind = "pooled_metrics" if champion.get("folds") else "metrics"
            metrics = self._saved.load(f"{champion['candidate']}.{kind}")
            mlflow.log_metrics(numbers(metrics), run_id=self._run_id)
            self._log_data(self._run_id, metrics, "train", "test")
        if "final_metrics" in self._outputs:
            scores = numbers(self._saved.load("final_metrics"))
            tests = {name: value for name, value in scores.items() if "test_accuracy" in name}
            mlflow.log_metrics(tests, run_id=self._run_id)

    def describe(self, text: str) -> None:
        """Set the run's description."""
        self._client.set_tag(self._run_id, "mlflow.note.content", text)

    def end(self, status: str) -> None:
        """End the run as `FINISHED`, `FAILED` or `KILLED`, and a child that is still open."""
        if status != "FINISHED":
            for child in self._open_children():
                self._client.set_terminated(child, status)
        self._client.set_terminated(self._run_id, status)

    def end_killed_runs(self, has_ended: Callable[[str], bool]) -> None:
        """End runs that could not do so themselves.

        Args:
            has_ended: Tells of a version whether the run that saved it is over.
        """
        for run in self._running():
            if has_ended(run.data.tags.get(RUN_ID, "")):
                self._client.set_terminated(run.info.run_id, "KILLED")

    def _open_children(self) -> list[str]:
        children = self._running(f"tags.`mlflow.parentRunId` = '{self._run_id}'")
        return [run.info.run_id for run in children]

    def _running(self, *conditions: str) -> Iterable[Run]:
        which = " AND ".join(["attributes.status = 'RUNNING'", *conditions])
        return self._client.search_runs([self._experiment_id], which)

    def _log_child(self, namespace: str, fitted: Fitted) -> None:
        colour = self._colours.get(fitted.name)
        tags = self._tags | ({"mlflow.runColor": colour} if colour else {})
        with child_run(self._run_id, fitted.name, tags, fitted.description) as run_id:
            self._children[namespace] = run_id
            self._log_fitted(run_id, fitted)

    def _log_folds(self, candidate: str, metrics: Mapping[str, Any]) -> None:
        """Log the folds of a candidate; one that was trained before gets a run with its scores."""
        if candidate not in self._children:
            with child_run(self._run_id, candidate, self._tags) as run_id:
                self._children[candidate] = run_id
                mlflow.log_metrics(numbers(metrics))
        log_folds(self._children[candidate], metrics)

    def _log_fitted(self, run_id: str, fitted: Fitted) -> None:
        mlflow.log_params(fitted.hyperparameters())
        self._log_curves(run_id, fitted)
        scores = numbers(fitted.metrics)
        end = {"validation_accuracy": scores.pop("validation_accuracy")}
        mlflow.log_metrics(end, step=len(fitted.history))
        mlflow.log_metrics(scores)  # without a step: MLflow draws bars, else dots on a curve
        self._log_data(run_id, fitted.metrics, *fitted.splits)
        model_id = log_model(fitted.model, self._saved)
        if "test" in fitted.splits:
            register_model(self._registered_model, model_id, run_id, fitted)

    def _log_curves(self, run_id: str, fitted: Fitted) -> None:
        now = round(1000 * time.time())  # milliseconds
        points = [Metric(name, value, now, epoch) for name, epoch, value in fitted.curves()]
        self._client.log_batch(run_id, points)

    def _log_data(self, run_id: str, metrics: Mapping[str, Any], *splits: str) -> None:
        """Log the data on which these metrics rest, and where they came from, if that is known."""
        tags = {"data_name": metrics["data"], "data_sha256": metrics["data_sha256"]}
        if "splits_sha256" in metrics:
            tags["splits_sha256"] = metrics["splits_sha256"]
        profile = self._saved.load("dataset_profile")
        if profile["data_sha256"] == metrics["data_sha256"]:
            tags["data_source"] = profile["source"]
        inputs = []
        for split in splits:
            dataset = from_numpy(
                self._saved.load(f"{split}_images"),
                targets=self._saved.load(f"{split}_labels"),
                source=CodeDatasetSource(tags),
                name=f"{metrics['data']}, {split}",
                digest=metrics["data_sha256"][:DIGEST_LENGTH],
            )
            context = [InputTag("mlflow.data.context", split)]
            inputs.append(DatasetInput(dataset._to_mlflow_entity(), context))
        self._client.log_inputs(run_id, inputs)
        for key, value in tags.items():
            self._client.set_tag(run_id, key, value)

    def _log_files(self, names: Iterable[str], run_id: str) -> None:
        with tempfile.TemporaryDirectory() as folder:
            for name in names:
                path = self._saved.path(name)
                if path and path.suffix in COPIED:
                    self._saved.copy(name, Path(folder))
            mlflow.log_artifacts(folder, run_id=run_id)
