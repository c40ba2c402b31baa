"""Search networks of other depths and widths: the study's side experiment, does more pay?"""

from __future__ import annotations

import hashlib
import json
import logging
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from mnist_kedro.classifiers.build import Candidate
from mnist_kedro.classifiers.fit import count_weights, fit_classifier
from mnist_kedro.data.splits import take_splits
from mnist_kedro.evaluation.charts import chart_accuracy_against_cost
from mnist_kedro.evaluation.metrics import percent, wilson_interval
from mnist_kedro.lazy import Chart, NDArray, np, pd
from mnist_kedro.parameters import Parameters, UserError

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

    from mnist_kedro.data.splits import Labelled

ESTIMATOR = "mnist_kedro.classifiers.TorchClassifier"
UNPRUNED_TRIALS = 5  # before there is a median to compare with

logger = logging.getLogger(__name__)


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
                raise UserError(f"expected '{name}' from low to high, found [{low}, {high}]")
        self.candidate([self.hidden_units[0]], self.learning_rate[0])
        return self

    def candidate(self, hidden_units: list[int], learning_rate: float) -> Candidate:
        """Return a network with this many units in each hidden layer."""
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
    """Try multi-layer perceptrons until there are `trials` of them in the study, in `storage`.

    A run that was interrupted goes on where it was, one with more `trials` adds to it, and runs on
    several machines with one `storage` share it. `take_splits` says what the data are.

    Returns:
        A row per trial, complete ones first, the most accurate first: `trial` (from 0), `state`
        (`complete` or `pruned`), `candidate` (its hidden units), `learning_rate`,
        `validation_accuracy` with `_low` and `_high`, `fit_seconds`, `parameters`, `data`.
    """
    from joblib import Parallel, delayed

    data = take_splits(train_images, train_labels, splits, dataset_profile)
    study = _open_study(parameters, [dataset_profile["sha256"], splits.to_csv(index=False)])
    finished = len(_rows(study))
    if finished:
        logger.info("Going on with the %d trials of an earlier run.", finished)
    workers = Parallel(parameters.workers, return_as="generator_unordered")
    missing = range(finished, parameters.trials)
    rows = workers(delayed(_run_trial)(study, parameters, *data) for _ in missing)
    for count, row in enumerate(filter(None, rows), start=finished + 1):
        what = f"{row['candidate']}, {percent(row['validation_accuracy'])}, {row['state']}"
        logger.info("Trial %d of %d: %s", count, parameters.trials, what)
    table = pd.DataFrame(_rows(study))
    images = len(data[1][1])  # of the validation
    right = (table["validation_accuracy"] * images).round().astype(int)
    ends = [wilson_interval(count, images) for count in right]
    table[["validation_accuracy_low", "validation_accuracy_high"]] = ends
    table["data"] = dataset_profile["name"]
    order = ["state", "validation_accuracy", "trial"]
    return table.sort_values(order, ascending=[True, False, True], ignore_index=True)


def chart_trials(tuning_trials: pd.DataFrame) -> Chart:
    """Draw what accuracy costs in time, of the trials that were not pruned."""
    complete = tuning_trials[tuning_trials["state"] == "complete"]
    return chart_accuracy_against_cost(complete.assign(champion=False), "fit_seconds")


def _open_study(parameters: TuningParameters, data: list[Any]) -> Study:
    """Return the study of these ranges and data, with the trials of earlier runs.

    In the second half of its epochs, a trial is pruned when it is worse than the median of the
    others. Akiba et al., 2019, doi:10.1145/3292500.3330701.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    settings = parameters.model_dump(exclude={"trials", "workers", "storage"})
    digest = hashlib.sha256(json.dumps([settings, data], sort_keys=True).encode()).hexdigest()
    return optuna.create_study(
        storage=parameters.storage,
        study_name=digest[:16],
        load_if_exists=True,
        direction="maximize",
        # Accuracy says little until the learning rate comes down, in the second half of its cycle.
        pruner=optuna.pruners.MedianPruner(UNPRUNED_TRIALS, n_warmup_steps=parameters.epochs // 2),
    )


def _run_trial(
    study: Study, parameters: TuningParameters, train: Labelled, validation: Labelled
) -> dict[str, Any] | None:
    """Try one more network and return its `_row`, unless other runs have tried enough."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if len(_rows(study)) >= parameters.trials:
        return None
    ended: list[FrozenTrial] = []

    def fit(trial: Trial) -> float:
        # A seed of its own: a run that goes on does not repeat what was tried.
        study.sampler = optuna.samplers.TPESampler(seed=parameters.seed + trial.number)
        return _try_network(trial, parameters, train, validation)

    study.optimize(fit, n_trials=1, callbacks=[lambda _, trial: ended.append(trial)])
    return _row(ended[0])


def _try_network(
    trial: Trial, parameters: TuningParameters, train: Labelled, validation: Labelled
) -> float:
    """Fit one network and return its validation accuracy; keep its cost with the trial."""
    from optuna import TrialPruned

    from mnist_kedro.classifiers.training import DivergenceError

    layers = trial.suggest_int("hidden_layers", *parameters.hidden_layers)
    units = [
        trial.suggest_categorical(f"hidden_units_{layer}", parameters.hidden_units)
        for layer in range(1, layers + 1)
    ]
    rate = trial.suggest_float("learning_rate", *parameters.learning_rate, log=True)
    trial.set_user_attr("candidate", "-".join(map(str, units)))

    def after_epoch(row: dict[str, float]) -> None:
        trial.set_user_attr("fit_seconds", row["seconds"])
        trial.report(row["validation_accuracy"], int(row["epoch"]) - 1)  # the pruner counts from 0
        if row["epoch"] < parameters.epochs and trial.should_prune():
            raise TrialPruned

    candidate = parameters.candidate(units, rate)
    try:
        model, history = fit_classifier(candidate, parameters.seed, train, validation, after_epoch)
    except DivergenceError as error:
        raise TrialPruned from error
    trial.set_user_attr("n_parameters", count_weights(model))
    return float(history["validation_accuracy"].iloc[-1])


def _rows(study: Study) -> list[dict[str, Any]]:
    """Return the rows of all trials that have ended."""
    from optuna.trial import TrialState

    ended = study.get_trials(deepcopy=False, states=[TrialState.COMPLETE, TrialState.PRUNED])
    return [_row(trial) for trial in ended]


def _row(trial: FrozenTrial) -> dict[str, Any]:
    """Return what is known of a trial that has ended, as `search_networks` names it."""
    return {
        "trial": trial.number,
        "state": trial.state.name.lower(),
        "learning_rate": trial.params["learning_rate"],
        "validation_accuracy": trial.value or 0.0,  # none if it diverged in its first epoch
        "fit_seconds": 0.0,
        **trial.user_attrs,
    }
