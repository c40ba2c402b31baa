"""What MLflow learns of a search: a run per trial."""

from __future__ import annotations

from typing import TYPE_CHECKING

import mlflow

from mnist_kedro.lazy import pd

if TYPE_CHECKING:
    from collections.abc import Mapping

PARAMETERS = ("candidate", "learning_rate")
METRICS = (
    "validation_accuracy",
    "validation_accuracy_low",
    "validation_accuracy_high",
    "fit_seconds",
    "parameters",
)


def log_trials(trials: pd.DataFrame, parent_run_id: str, tags: Mapping[str, str]) -> None:
    """Log a child run per trial.

    Args:
        trials: As `search_networks` returns them.
        parent_run_id: Of the run that searched.
        tags: Of that run, and of each child.
    """
    for row in trials.sort_values("trial").to_dict("records"):
        with mlflow.start_run(
            run_name=f"trial_{row['trial']}",
            nested=True,
            parent_run_id=parent_run_id,
            tags={**tags, "trial_state": row["state"], "data_name": row["data"]},
        ):
            mlflow.log_params({name: row[name] for name in PARAMETERS})
            # A pruned trial has not counted its parameters.
            mlflow.log_metrics({name: row[name] for name in METRICS if pd.notna(row[name])})
