"""Search networks of other depths and widths: the study's side experiment, does more pay?"""

from __future__ import annotations

import hashlib
import json
import logging
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from mnist_kedro.charts import chart_accuracy_against_cost
from mnist_kedro.classifiers.build import Candidate
from mnist_kedro.classifiers.classifier import Labelled
from mnist_kedro.classifiers.fit import fit_classifier
from mnist_kedro.lazy import Chart, pd
from mnist_kedro.metrics import count_parameters, percent, wilson_interval
from mnist_kedro.parameters import Parameters
from mnist_kedro.splits import take_splits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from optuna import Study, Trial

ESTIMATOR = "mnist_kedro.classifiers.TorchClassifier"
UNPRUNED_TRIALS = 5  # before there is a median to compare with

logger = logging.getLogger(__name__)


class TuningParameters(Parameters):
    """What is tried: the ranges of what varies, and the hyperparameters that do not."""

    trials: PositiveInt
    storage: str
    seed: int = Field(ge=0)
    hidden_layers: tuple[PositiveInt, PositiveInt]
    hidden_units: tuple[PositiveInt, ...] = Field(min_length=1)
    learning_rate: tuple[PositiveFloat, PositiveFloat]
    epochs: PositiveInt
    hyperparameters: dict[str, Any]

    @model_validator(mode="after")
    def _can_be_tried(self) -> Self:
        for name in ("hidden_layers", "learning_rate"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"expected '{name}' from low to high, found [{low}, {high}]")
        self.candidate([self.hidden_units[0]], self.learning_rate[0])
        return self

    def candidate(self, hidden_units: list[int], learning_rate: float) -> Candidate:
        """Return a network of this many units a layer."""
        options = self.hyperparameters.get("network_options") or {}
        varied = {
            "network_options": options | {"hidden_units": hidden_units},
            "learning_rate": learning_rate,
            "epochs": self.epochs,
        }
        return Candidate(estimator=ESTIMATOR, hyperparameters=self.hyperparameters | varied)


def search_networks(
    train_images: NDArray[np.uint8],
    train_labels: NDArray[np.uint8],
    splits: pd.DataFrame,
    dataset_profile: dict[str, Any],
    parameters: TuningParameters,
) -> pd.DataFrame:
    """Try multi-layer perceptrons until there are `trials` of them in the study.

    Args and errors are those of `take_splits`, and what to try.

    Returns:
        A row per trial, complete ones first, the most accurate first: `trial` (from 0), `state`
        (`complete` or `pruned`), `candidate` (its hidden units), `learning_rate`,
        `validation_accuracy` with `_low` and `_high`, `fit_seconds`, `parameters`, `data`.
    """
    train, validation = take_splits(train_images, train_labels, splits, dataset_profile)
    data = [dataset_profile["sha256"], splits.to_csv(index=False)]
    study = _open_study(parameters, data)
    finished = len(_rows(study))
    if finished:
        logger.info("Going on with the %d trials of an earlier run.", finished)
    study.optimize(
        lambda trial: _try(trial, parameters, train, validation),
        n_trials=max(parameters.trials - finished, 0),
        callbacks=[lambda study, _: _log_trial(_rows(study), parameters.trials)],
    )
    table = pd.DataFrame(_rows(study)).assign(data=dataset_profile["name"])
    order = ["state", "validation_accuracy", "trial"]
    return table.sort_values(order, ascending=[True, False, True], ignore_index=True)


def chart_trials(tuning_trials: pd.DataFrame) -> Chart:
    """Draw what accuracy costs in time, of the trials that were not pruned."""
    complete = tuning_trials[tuning_trials["state"] == "complete"]
    return chart_accuracy_against_cost(complete.assign(champion=False), "fit_seconds")


def _open_study(parameters: TuningParameters, data: list[Any]) -> Study:
    """Return the study of these ranges and data, with the trials of earlier runs.

    Trials are sampled (tree-structured Parzen estimator) and, in the second half of their epochs,
    pruned when they are worse than the median of the others. The study is kept in `storage` after
    each trial: a run that was interrupted goes on where it was, and one with more `trials` adds to
    it. Akiba et al., 2019, doi:10.1145/3292500.3330701.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    settings = parameters.model_dump(exclude={"trials", "storage"})
    digest = hashlib.sha256(json.dumps([settings, data], sort_keys=True).encode()).hexdigest()
    study = optuna.create_study(
        storage=parameters.storage,
        study_name=digest[:16],
        load_if_exists=True,
        direction="maximize",
        # Accuracy says little until the learning rate comes down, in the second half of its cycle.
        pruner=optuna.pruners.MedianPruner(UNPRUNED_TRIALS, n_warmup_steps=parameters.epochs // 2),
    )
    # The same seed again would sample what has been tried.
    study.sampler = optuna.samplers.TPESampler(seed=parameters.seed + len(study.trials))
    return study


def _try(
    trial: Trial, parameters: TuningParameters, train: Labelled, validation: Labelled
) -> float:
    """Fit one network and return its validation accuracy."""
    from optuna import TrialPruned

    layers = trial.suggest_int("hidden_layers", *parameters.hidden_layers)
    units = [
        trial.suggest_categorical(f"hidden_units_{layer}", parameters.hidden_units)
        for layer in range(1, layers + 1)
    ]
    rate = trial.suggest_float("learning_rate", *parameters.learning_rate, log=True)
    candidate = parameters.candidate(units, rate)
    trial.set_user_attr("candidate", "-".join(map(str, units)))
    seen: dict[str, float] = {"validation_accuracy": 0.0, "seconds": 0.0}

    def after_epoch(row: dict[str, float]) -> None:
        seen.update(row)
        step = int(row["epoch"]) - 1  # the pruner counts from 0
        trial.report(row["validation_accuracy"], step)
        if row["epoch"] < parameters.epochs and trial.should_prune():
            raise TrialPruned

    try:
        model, _ = fit_classifier(candidate, parameters.seed, train, validation, after_epoch)
        trial.set_user_attr("parameters", count_parameters(model))
    except FloatingPointError as error:  # the learning rate was too high for it
        raise TrialPruned from error
    finally:
        _remember(trial, seen, len(validation[1]))
    return seen["validation_accuracy"]


def _remember(trial: Trial, row: Mapping[str, float], images: int) -> None:
    """Keep the scores of the last epoch with the trial."""
    accuracy = row["validation_accuracy"]
    low, high = wilson_interval(round(accuracy * images), images)
    trial.set_user_attr("validation_accuracy", accuracy)
    trial.set_user_attr("validation_accuracy_low", low)
    trial.set_user_attr("validation_accuracy_high", high)
    trial.set_user_attr("fit_seconds", row["seconds"])


def _rows(study: Study) -> list[dict[str, Any]]:
    """Return the trials that have ended."""
    from optuna.trial import TrialState

    ended = study.get_trials(deepcopy=False, states=[TrialState.COMPLETE, TrialState.PRUNED])
    return [
        {"trial": trial.number, "state": trial.state.name.lower()}
        | {"learning_rate": trial.params["learning_rate"]}
        | trial.user_attrs
        for trial in ended
    ]


def _log_trial(rows: list[dict[str, Any]], trials: int) -> None:
    row = rows[-1]
    what = f"{row['candidate']}, {percent(row['validation_accuracy'])}, {row['state']}"
    logger.info("Trial %d of %d: %s", len(rows), trials, what)
