"""Rank the candidates and choose the champion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mnist_kedro.evaluation.metrics import mcnemar_p_value
from mnist_kedro.lazy import pd
from mnist_kedro.pipelines.model_selection.choice import (
    ModelSelectionParameters,
    explain_choice,
    find_champion,
)

COLUMNS = [
    "candidate",
    "champion",
    "validation_accuracy",
    "validation_accuracy_low",
    "validation_accuracy_high",
    "p_value",
    "macro_f1",
    "log_loss",
    "fit_seconds",
    "predict_ms_per_image",
    "predict_ms_single_image",
    "model_bytes",
    "parameters",
    "data",
]
# Equal accuracies are told apart by what is the same in every run, the smaller model first.
ORDER = {"validation_accuracy": False, "model_bytes": True, "candidate": True}  # true: ascending
RESTS_ON = ("settings", "data", "class_names", "data_sha256", "sha256", "splits_sha256")


def rank_candidates(parameters: ModelSelectionParameters, **results: Any) -> pd.DataFrame:  # noqa: ANN401
    """Rank the candidates by validation accuracy and mark the champion.

    The champion is the cheapest of the candidates that the most accurate one does not beat
    significantly, by McNemar's exact test on the same validation images. That is the study's own
    reasoning (it took 64 hidden units, because more cost more and gained little), made exact.
    Candidates that cost at most 10 % more than the cheapest count as equally cheap: of them the
    first in the order of the table wins, so that noise in measured seconds decides less.

    Args:
        parameters: `alpha`, below which a p-value is significant, and `cost`, a metric.
        results: `<candidate>.metrics` (a mapping) and `<candidate>.validation_predictions` (a
            table) of each candidate.

    Returns:
        A row per candidate with `COLUMNS`, the most accurate first; of equally accurate ones the
        smaller model, then by name. `p_value` is that of the test against the first.

    Raises:
        ValueError: The candidates were not trained and validated on the same images.
    """
    metrics = _by_candidate("metrics", results)
    predictions = _by_candidate("validation_predictions", results)
    _check_comparable(metrics, predictions)
    board = pd.DataFrame([{"candidate": name} | scores for name, scores in metrics.items()])
    board = board.sort_values([*ORDER], ascending=[*ORDER.values()], ignore_index=True)
    correct = {
        name: (table["label"] == table["prediction"]).to_numpy()
        for name, table in predictions.items()
    }
    best = correct[board["candidate"][0]]
    board["p_value"] = [mcnemar_p_value(best, correct[name]) for name in board["candidate"]]
    board["champion"] = board.index == find_champion(board, parameters)
    return board[COLUMNS]


def choose_champion(
    leaderboard: pd.DataFrame,
    parameters: ModelSelectionParameters,
    provenance: dict[str, Any],
    **results: Any,  # noqa: ANN401
) -> dict[str, Any]:
    """Describe the champion of a leaderboard: who, why, with which settings, on which data.

    Args:
        leaderboard: A row per candidate, as `rank_candidates` returns it.
        parameters: The same that ranked it.
        provenance: What this run rests on: versions of the inputs, of packages, of the code.
        results: `<candidate>.metrics` of each candidate.

    Returns:
        `candidate`, `reason` (a sentence or two), `folds` (0 without), the champion's
        `validation_accuracy` and its interval, `settings`, `data`, `class_names`, `data_sha256`,
        `sha256` and `splits_sha256`, the selection's `alpha` and `cost`, and `provenance`.
    """
    champion = leaderboard[leaderboard["champion"]].iloc[0]
    metrics = results[f"{champion['candidate']}.metrics"]
    accuracy = [name for name in metrics if name.startswith("validation_accuracy")]
    folds = len(metrics.get("folds", ()))
    how = f" Out-of-fold predictions of a {folds}-fold cross-validation say so." if folds else ""
    return {
        "candidate": champion["candidate"],
        "reason": explain_choice(leaderboard, parameters) + how,
        "folds": folds,
        **{name: metrics[name] for name in (*accuracy, *RESTS_ON)},
        **parameters.model_dump(),
        "provenance": provenance,
    }


def _by_candidate(kind: str, results: Mapping[str, Any]) -> dict[str, Any]:
    suffix = f".{kind}"
    return {
        key.removesuffix(suffix): value for key, value in results.items() if key.endswith(suffix)
    }


def _check_comparable(metrics: Mapping[str, Any], predictions: Mapping[str, pd.DataFrame]) -> None:
    first, *others = metrics
    images = [name for name in ("index", "label", "fold") if name in predictions[first]]
    for other in others:
        if metrics[first]["data_sha256"] != metrics[other]["data_sha256"]:
            what = "trained on different data"
        elif not predictions[first][images].equals(predictions[other][images]):
            what = "validated on different images"
        else:
            continue
        raise ValueError(
            f"expected candidates that can be compared, found {first} and {other} {what}: run "
            f"`kedro run --pipelines=model_training,model_selection`"
        )
