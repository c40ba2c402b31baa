"""Compare the candidates over folds: how accuracies scatter, and which differences are real."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_kedro.lazy import pd

COLUMNS = [
    "candidate",
    "champion",
    "folds",
    "images",
    "fold_accuracy_mean",
    "fold_accuracy_std",
    "mcnemar_p_value",
    "t_test_p_value",
    "fold_fit_seconds",
    "data",
]


def compare_folds(
    leaderboard: pd.DataFrame,
    **results: Any,  # noqa: ANN401
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compare what the candidates reached in the same folds.

    Args:
        leaderboard: A row per candidate, as `rank_candidates` returns it, the most accurate first.
        results: `<candidate>.metrics` of each candidate, as `pool_folds` returns them.

    Returns:
        A row per candidate and fold: `candidate`, `fold`, `images`, `validation_accuracy`,
        `fit_seconds`; and a row per candidate with `COLUMNS`: mean and standard deviation of the
        folds' accuracies, the mean of their seconds, and p-values of two tests against the most
        accurate candidate: that of the leaderboard, on the images of all folds, and
        `corrected_t_p_value` on the accuracies.
    """
    board = leaderboard.rename(columns={"p_value": "mcnemar_p_value"}).set_index("candidate")
    folds = {name: pd.DataFrame(results[f"{name}.metrics"]["folds"]) for name in board.index}
    scores = pd.concat(folds, names=["candidate"]).reset_index("candidate").reset_index(drop=True)
    accuracy = scores.pivot(index="candidate", columns="fold", values="validation_accuracy")
    best = accuracy.loc[board.index[0]].to_numpy()
    board["fold_accuracy_mean"] = accuracy.mean(axis="columns")
    board["fold_accuracy_std"] = accuracy.std(axis="columns")
    board["t_test_p_value"] = {
        name: corrected_t_p_value(best, row.to_numpy()) for name, row in accuracy.iterrows()
    }
    of_each = scores.groupby("candidate")
    board["folds"], board["images"] = of_each["fold"].count(), of_each["images"].sum()
    board["fold_fit_seconds"] = of_each["fit_seconds"].mean()
    return scores, board.reset_index()[COLUMNS]


def corrected_t_p_value(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Return how likely two learners differ this much by chance, over the same folds.

    Corrected resampled t-test of Nadeau and Bengio, 2003 (doi:10.1023/A:1024068626366), two-sided.
    Of `k` differences with the mean `m` and the variance `s2` (divided by `k - 1`), it takes

        t = m / sqrt((1 / k + n_validation / n_train) * s2)

    with `k - 1` degrees of freedom, where a plain t-test has only `1 / k`: models that share
    training images do not err independently. In `k` folds, `n_validation / n_train = 1 / (k - 1)`.
    It was derived for random splits; for the folds of a cross-validation it is an approximation.

    Args:
        one: Accuracy in each fold, `(k,)`.
        other: The same of the other.

    Returns:
        Not a number if the difference is the same in every fold: then nothing says how it scatters.
    """
    from scipy.stats import t

    differences = one - other
    if not differences.any():
        return 1.0
    if np.allclose(differences, differences[0]):
        return np.nan
    k = len(differences)
    variance = (1 / k + 1 / (k - 1)) * differences.var(ddof=1)
    return float(2 * t.sf(np.abs(differences.mean()) / np.sqrt(variance), k - 1))
