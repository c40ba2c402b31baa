"""Which candidate of a leaderboard is the champion, and why."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from mnist_kedro.evaluation.metrics import percent
from mnist_kedro.lazy import pd
from mnist_kedro.parameters import Parameters

NEAR_TIE = 0.1  # a cost that is above the lowest by no more counts as equal: seconds are noisy


class ModelSelectionParameters(Parameters):
    """What counts as a difference, and what counts as cheap."""

    alpha: float = Field(gt=0, lt=1)
    cost: Literal["fit_seconds", "predict_ms_per_image", "model_bytes"]


def find_champion(leaderboard: pd.DataFrame, parameters: ModelSelectionParameters) -> int:
    """Return the index of the first row that is as good as the best, and as cheap as the cheapest.

    Args:
        leaderboard: A row per candidate, the best first, with a `p_value` of the test against it.
        parameters: `alpha`, from which on a p-value is no difference, and `cost`, a column.
    """
    contenders = _contenders(leaderboard, parameters)
    costs = contenders[parameters.cost]
    return int(contenders[costs <= costs.min() * (1 + NEAR_TIE)].index[0])


def explain_choice(leaderboard: pd.DataFrame, parameters: ModelSelectionParameters) -> str:
    """Return a sentence that says why the champion of this leaderboard is its champion."""
    champion = leaderboard[leaderboard["champion"]].iloc[0]
    best, others = leaderboard.iloc[0], leaderboard.iloc[1:]
    ties = others[others["p_value"] >= parameters.alpha]
    if others.empty:
        return f"{_named(best)} is the only candidate."
    if ties.empty:
        closest = others.iloc[0]
        return (
            f"{_named(best)} is significantly more accurate than every other candidate (exact "
            f"McNemar, p < {parameters.alpha}; next {closest['candidate']} with "
            f"{percent(closest['validation_accuracy'])}, p = {closest['p_value']:.2g})."
        )
    contenders = _contenders(leaderboard, parameters)
    cheapest = contenders.iloc[int(contenders[parameters.cost].argmin())]
    if champion["candidate"] == best["candidate"]:
        text = _why_the_best(champion, cheapest, len(contenders), parameters)
    else:
        text = _why_another(champion, best, parameters)
    return f"{text}{_why_not_the_cheapest(champion, cheapest, parameters.cost)}."


def _contenders(leaderboard: pd.DataFrame, parameters: ModelSelectionParameters) -> pd.DataFrame:
    return leaderboard[leaderboard["p_value"] >= parameters.alpha]


def _named(row: pd.Series[Any]) -> str:
    return f"{row['candidate']} ({percent(row['validation_accuracy'])})"


def _why_the_best(
    best: pd.Series[Any], cheapest: pd.Series[Any], count: int, parameters: ModelSelectionParameters
) -> str:
    alpha, cost = parameters.alpha, parameters.cost
    too = f", and the cheapest ({cost} {best[cost]:.4g})" if best[cost] == cheapest[cost] else ""
    return (
        f"{_named(best)} is the most accurate{too} of the {count} that do not differ significantly "
        f"(exact McNemar, p >= {alpha})"
    )


def _why_another(
    champion: pd.Series[Any], best: pd.Series[Any], parameters: ModelSelectionParameters
) -> str:
    cost = parameters.cost
    costs = f"{cost} {champion[cost]:.4g} against {best[cost]:.4g}"
    if champion["validation_accuracy"] == best["validation_accuracy"]:
        return f"{_named(champion)} costs less than {best['candidate']}, as accurate ({costs})"
    return (
        f"{_named(champion)} costs less than {_named(best)}, the most accurate ({costs}), which is "
        f"not significantly better (exact McNemar, p = {champion['p_value']:.2g} >= "
        f"{parameters.alpha})"
    )


def _why_not_the_cheapest(champion: pd.Series[Any], cheapest: pd.Series[Any], cost: str) -> str:
    if champion[cost] == cheapest[cost]:
        return ""
    return (
        f"; {_named(cheapest)} costs less by no more than {100 * NEAR_TIE:.0f} % ({cost} "
        f"{cheapest[cost]:.4g} against {champion[cost]:.4g}), which counts as equal, and is not "
        f"more accurate"
    )
