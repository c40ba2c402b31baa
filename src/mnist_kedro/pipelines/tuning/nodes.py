"""Search networks of other depths and widths: the study's side experiment, does more pay?"""

from __future__ import annotations

import hashlib
import json
import logging
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mnist_kedro.data.splits import take_splits
from mnist_kedro.evaluation.charts import chart_accuracy_against_cost
from mnist_kedro.evaluation.metrics import percent
from mnist_kedro.lazy import Chart, pd
from mnist_kedro.pipelines.tuning.trials import TuningParameters, run_trial, trial_row

if TYPE_CHECKING:
    from optuna import Study

UNPRUNED_TRIALS = 5  # before there is a median to compare with

logger = logging.getLogger(__name__)


def search_networks(
    train_images: NDArray[np.uint8],
    train_labels: NDArray[np.uint8],
    splits: pd.DataFrame,
    dataset_profile: dict[str, Any],
    parameters: TuningParameters,
) -> pd.DataFrame:
    """Try multi-layer perceptrons until there are `trials` of them in the study.

    Several workers are processes that share the study, here or those of a cluster: each goes on as
    soon as it is free.

    Args and errors are those of `take_splits`, and what to try.

    Returns:
        A row per trial, complete ones first, the most accurate first: `trial` (from 0), `state`
        (`complete` or `pruned`), `candidate` (its hidden units), `learning_rate`,
        `validation_accuracy` with `_low` and `_high`, `fit_seconds`, `parameters`, `data`.
    """
    from joblib import Parallel, delayed

    train, validation = take_splits(train_images, train_labels, splits, dataset_profile)
    data = [dataset_profile["sha256"], splits.to_csv(index=False)]
    study = _open_study(parameters, data)
    finished = len(_rows(study))
    if finished:
        logger.info("Going on with the %d trials of an earlier run.", finished)
    begun = len(study.trials)
    workers = Parallel(
        parameters.workers,
        pre_dispatch=parameters.workers,  # a cluster counts its own
        return_as="generator_unordered",
        max_nbytes=None,
    )
    rows = workers(
        delayed(run_trial)(study, begun + n, parameters, *train, *validation)
        for n in range(parameters.trials - finished)
    )
    for count, row in enumerate(rows, start=finished + 1):
        what = f"{row['candidate']}, {percent(row['validation_accuracy'])}, {row['state']}"
        logger.info("Trial %d of %d: %s", count, parameters.trials, what)
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


def _rows(study: Study) -> list[dict[str, Any]]:
    """Return the trials that have ended."""
    from optuna.trial import TrialState

    ended = study.get_trials(deepcopy=False, states=[TrialState.COMPLETE, TrialState.PRUNED])
    return [trial_row(trial) for trial in ended]
