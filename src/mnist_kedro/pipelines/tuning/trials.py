"""One trial of a search: which network it takes, and how that is scored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from mnist_kedro.classifiers.build import Candidate
from mnist_kedro.classifiers.fit import fit_classifier
from mnist_kedro.classifiers.parameter_count import count_parameters
from mnist_kedro.evaluation.metrics import wilson_interval
from mnist_kedro.parameters import Parameters

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

    from mnist_kedro.data.splits import Labelled

ESTIMATOR = "mnist_kedro.classifiers.TorchClassifier"


class TuningParameters(Parameters):
    """What is tried: the ranges of what varies, and the hyperparameters that do not."""

    trials: PositiveInt
    workers: PositiveInt
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


def run_trial(
    study: Study,
    number: int,
    parameters: TuningParameters,
    train_images: NDArray[np.uint8],
    train_labels: NDArray[np.uint8],
    validation_images: NDArray[np.uint8],
    validation_labels: NDArray[np.uint8],
) -> dict[str, Any]:
    """Try one network more of a study, in whichever process.

    Args:
        study: Where the trial is kept.
        number: Other than those of the trials before, or it would sample the same.
        parameters: What to try.
        train_images: `uint8 (n, 28, 28)`. They are no pair with their labels: only arrays that are
            arguments of their own are sent to a cluster once, not with each trial.
        train_labels: `uint8 (n,)`.
        validation_images: As those to train with.
        validation_labels: As those to train with.

    Returns:
        What `trial_row` says of it.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study.sampler = optuna.samplers.TPESampler(seed=parameters.seed + number)
    rows: list[dict[str, Any]] = []
    train, validation = (train_images, train_labels), (validation_images, validation_labels)
    study.optimize(
        lambda trial: _try(trial, parameters, train, validation),
        n_trials=1,
        callbacks=[lambda _, trial: rows.append(trial_row(trial))],
    )
    return rows[0]


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


def trial_row(trial: FrozenTrial) -> dict[str, Any]:
    """Return what is known of a trial that has ended, as `search_networks` names it."""
    return {
        "trial": trial.number,
        "state": trial.state.name.lower(),
        "learning_rate": trial.params["learning_rate"],
        **trial.user_attrs,
    }
