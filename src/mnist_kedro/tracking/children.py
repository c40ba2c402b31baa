"""Runs below the run of a `kedro run`: of a candidate, the final model or a trial of a search."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import mlflow

from mnist_kedro.lazy import pd
from mnist_kedro.tracking.store import in_a_hurry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PARAMETERS = ("candidate", "learning_rate")
METRICS = (
    *("validation_accuracy", "validation_accuracy_low", "validation_accuracy_high"),
    *("fit_seconds", "parameters"),
)


@contextmanager
def child_run(
    parent_run_id: str, name: str, tags: Mapping[str, str], description: str | None = None
) -> Iterator[str]:
    """Make a child run the active one; yields its id. After Ctrl-C, too, its status is true."""
    with mlflow.start_run(
        run_name=name,
        nested=True,
        parent_run_id=parent_run_id,
        tags=dict(tags),
        description=description,
    ) as run:
        try:
            yield run.info.run_id
        except KeyboardInterrupt:
            mlflow.end_run("KILLED")  # else MLflow's context calls it failed
            raise
        except Exception:
            with suppress(Exception), in_a_hurry():  # maybe it is the server that fails
                mlflow.end_run("FAILED")
            raise


def log_folds(run_id: str, metrics: Mapping[str, Any]) -> None:
    """Log the accuracy of a candidate in each fold, with their mean and standard deviation.

    Args:
        run_id: Of the candidate's run.
        metrics: As `pool_folds` returns them.
    """
    folds = pd.DataFrame(metrics["folds"])
    accuracy = folds["validation_accuracy"]
    for fold, value in zip(folds["fold"], accuracy, strict=True):
        mlflow.log_metric("fold_accuracy", value, step=fold, run_id=run_id)
    scatter = {"fold_accuracy_mean": accuracy.mean(), "fold_accuracy_std": accuracy.std()}
    mlflow.log_metrics(scatter, run_id=run_id)


def log_trials(trials: pd.DataFrame, parent_run_id: str, tags: Mapping[str, str]) -> None:
    """Log a child run per trial.

    Args:
        trials: As `search_networks` returns them.
        parent_run_id: Of the run that searched.
        tags: Of that run, and of each child.
    """
    for row in trials.sort_values("trial").to_dict("records"):
        ended = {"trial_state": row["state"], "data_name": row["data"]}
        with child_run(parent_run_id, f"trial_{row['trial']}", {**tags, **ended}):
            mlflow.log_params({name: row[name] for name in PARAMETERS})
            # A pruned trial has not counted its parameters.
            mlflow.log_metrics({name: row[name] for name in METRICS if pd.notna(row[name])})
