"""Rank the candidates, choose the champion, and say why it is the champion."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from mnist_kedro.evaluation.metrics import by_candidate, mcnemar_p_values, percent
from mnist_kedro.lazy import pd
from mnist_kedro.parameters import Parameters, UserError

ACCURACY = ("validation_accuracy", "validation_accuracy_low", "validation_accuracy_high")
COSTS = ("fit_cpu_seconds", "fit_seconds", "predict_ms_per_image", "predict_ms_single_image")
COLUMNS = ["candidate", "champion", *ACCURACY, "p_value"]
COLUMNS += ["validation_macro_f1", "validation_log_loss", *COSTS]
COLUMNS += ["model_bytes", "n_parameters", "data"]
# Equal accuracies are told apart by what is the same in every run, the smaller model first.
ORDER = {"validation_accuracy": False, "model_bytes": True, "candidate": True}  # true: ascending
NEAR_TIE = 0.1  # seconds are noisy: costs up to this share above the lowest count as equal to it
OF_THE_CHAMPION = (
    *("settings", "confidence_threshold", "data", "class_names"),
    *("data_sha256", "sha256", "splits_sha256"),
)


class ModelSelectionParameters(Parameters):
    """What counts as a difference, and what counts as cheap."""

    alpha: float = Field(gt=0, lt=1)
    cost: Literal["fit_cpu_seconds", "fit_seconds", "predict_ms_per_image", "model_bytes"]


def rank_candidates(parameters: ModelSelectionParameters, **results: Any) -> pd.DataFrame:  # noqa: ANN401
    """Rank the candidates by validation accuracy and mark the champion.

    The champion is the cheapest of the candidates that the most accurate one does not beat
    significantly, by McNemar's exact test on the same validation images. Candidates that cost at
    most 10 % more than the cheapest count as equally cheap: the most accurate of them wins.

    Args:
        parameters: `alpha`, below which a p-value is significant, and `cost`, a metric.
        results: `<candidate>.metrics` (a mapping) and `<candidate>.validation_predictions` (a
            table) of each candidate.

    Returns:
        A row per candidate with `COLUMNS`, the most accurate first; of equally accurate ones the
        smaller model, then by name. `p_value` is that of the test against the first.

    Raises:
        UserError: The candidates were not trained and validated on the same images.
    """
    metrics = by_candidate("metrics", results)
    predictions = by_candidate("validation_predictions", results)
    _check_comparable(metrics, predictions)
    board = pd.DataFrame([{"candidate": name} | scores for name, scores in metrics.items()])
    board = board.sort_values([*ORDER], ascending=[*ORDER.values()], ignore_index=True)
    board["p_value"] = mcnemar_p_values([predictions[name] for name in board["candidate"]])
    costs = board.loc[board["p_value"] >= parameters.alpha, parameters.cost]
    board["champion"] = board.index == costs[costs <= costs.min() * (1 + NEAR_TIE)].index[0]
    return board[COLUMNS]


def choose_champion(
    leaderboard: pd.DataFrame,
    parameters: ModelSelectionParameters,
    **results: Any,  # noqa: ANN401
) -> dict[str, Any]:
    """Describe the champion of a leaderboard: who, why, with which settings, on which data.

    Args:
        leaderboard: What `rank_candidates` returned.
        parameters: Those that ranked it.
        results: `<candidate>.metrics` of each candidate.

    Returns:
        `candidate`, `reason` (a sentence), its metrics `ACCURACY` and `OF_THE_CHAMPION`, and the
        selection's `alpha` and `cost`.
    """
    candidate = leaderboard.loc[leaderboard["champion"], "candidate"].item()
    metrics = results[f"{candidate}.metrics"]
    return {
        "candidate": candidate,
        "reason": _reason(leaderboard, parameters),
        **{name: metrics[name] for name in (*ACCURACY, *OF_THE_CHAMPION)},
        **parameters.model_dump(),
    }


def _reason(board: pd.DataFrame, parameters: ModelSelectionParameters) -> str:
    """Return a sentence that says why the champion of this leaderboard is its champion."""
    alpha, cost = parameters.alpha, parameters.cost
    contenders = board[board["p_value"] >= alpha]  # the most accurate one is among them
    best, champion = board.iloc[0], board[board["champion"]].iloc[0]
    cheapest = contenders.iloc[int(contenders[cost].argmin())]
    against_best = f"({cost} {champion[cost]:.4g} against {best[cost]:.4g})"
    if len(board) == 1:
        return f"{_named(best)} is the only candidate."
    if len(contenders) == 1:
        second = board.iloc[1]
        return (
            f"{_named(best)} is significantly more accurate than every other candidate (exact "
            f"McNemar, p < {alpha}; next {second['candidate']} with "
            f"{percent(second['validation_accuracy'])}, p = {second['p_value']:.2g})."
        )
    if champion["candidate"] == best["candidate"]:
        is_cheapest = best[cost] == cheapest[cost]
        too = f", and the cheapest ({cost} {best[cost]:.4g})" if is_cheapest else ""
        text = (
            f"{_named(best)} is the most accurate{too} of the {len(contenders)} that do not differ "
            f"significantly (exact McNemar, p >= {alpha})"
        )
    elif champion["validation_accuracy"] == best["validation_accuracy"]:
        text = f"{_named(champion)} costs less than {best['candidate']}, as accurate {against_best}"
    else:
        text = (
            f"{_named(champion)} costs less than {_named(best)}, the most accurate {against_best}, "
            f"which is not significantly better (exact McNemar, p = {champion['p_value']:.2g} >= "
            f"{alpha})"
        )
    if champion[cost] > cheapest[cost]:
        text += (
            f"; {_named(cheapest)} costs less by no more than {100 * NEAR_TIE:.0f} % ({cost} "
            f"{cheapest[cost]:.4g} against {champion[cost]:.4g}), which counts as equal, and is "
            f"not more accurate"
        )
    return f"{text}."


def _named(row: pd.Series[Any]) -> str:
    return f"{row['candidate']} ({percent(row['validation_accuracy'])})"


def _check_comparable(metrics: dict[str, Any], predictions: dict[str, pd.DataFrame]) -> None:
    first, *others = metrics
    images = ["index", "label"]
    for other in others:
        what = ""
        if metrics[first]["data_sha256"] != metrics[other]["data_sha256"]:
            what = "trained on different data"
        elif not predictions[first][images].equals(predictions[other][images]):
            what = "validated on different images"
        if what:
            raise UserError(
                f"expected candidates that can be compared, found {first} and {other} {what}: run "
                f"`kedro run --pipelines=model_training,model_selection`"
            )
