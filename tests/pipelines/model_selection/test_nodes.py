import numpy as np
import pandas as pd
import pytest

from mnist_kedro.pipelines.model_selection.nodes import (
    COLUMNS,
    ModelSelectionParameters,
    choose_champion,
    rank_candidates,
)

N = 200
PARAMETERS = ModelSelectionParameters(alpha=0.05, cost="fit_seconds")


def results(**candidates):
    """Results by candidate: number of wrong predictions (the first ones), seconds to fit."""
    made = {}
    for name, (wrong, seconds) in candidates.items():
        labels = np.arange(N) % 10
        predictions = np.where(np.arange(N) < wrong, (labels + 1) % 10, labels)
        made[f"{name}.validation_predictions"] = pd.DataFrame(
            {"index": np.arange(N), "label": labels, "prediction": predictions}
        )
        made[f"{name}.metrics"] = dict.fromkeys(COLUMNS[2:], 0.0) | {
            "validation_accuracy": 1 - wrong / N,
            "fit_seconds": seconds,
            "model_bytes": 1000 - seconds,
            "data": "digits",
            "data_sha256": "abc",
            "sha256": {"train_images": "def"},
            "splits_sha256": "ghi",
            "settings": {"estimator": name, "hyperparameters": {}, "seed": 0},
        }
    return made


def champion_of(parameters=PARAMETERS, **candidates):
    made = results(**candidates)
    board = rank_candidates(parameters, **made)
    metrics = {name: value for name, value in made.items() if name.endswith("metrics")}
    return choose_champion(board, parameters, {"run_id": "now"}, **metrics)


def test_the_leaderboard_is_sorted_and_has_one_champion():
    board = rank_candidates(PARAMETERS, **results(a=(90, 1), b=(2, 9), c=(50, 3)))
    assert list(board) == COLUMNS
    assert list(board["candidate"]) == ["b", "c", "a"]
    assert list(board["champion"]) == [True, False, False]
    assert board["p_value"][0] == 1.0
    # 48 images that only b gets right, none that only c does
    assert board["p_value"][1] == pytest.approx(2 * 0.5**48)


def test_a_significantly_better_candidate_wins_whatever_it_costs():
    champion = champion_of(cheap=(20, 1), dear=(2, 100))
    assert champion["candidate"] == "dear"
    assert champion["reason"] == (
        "dear (99.00 %) is significantly more accurate than every other candidate "
        "(exact McNemar, p < 0.05; next cheap with 90.00 %, p = 7.6e-06)."
    )


def test_among_equals_the_cheapest_wins():
    champion = champion_of(cheap=(5, 1), cheaper_but_worse=(60, 0.1), dear=(2, 100))
    assert champion["candidate"] == "cheap"
    assert champion["reason"] == (
        "cheap (97.50 %) costs less than dear (99.00 %), the most accurate (fit_seconds 1 against "
        "100), which is not significantly better (exact McNemar, p = 0.25 >= 0.05)."
    )


def test_the_most_accurate_may_be_the_cheapest_too():
    champion = champion_of(good=(2, 1), equal=(3, 2), bad=(60, 0.1))
    assert champion["candidate"] == "good"
    assert "the cheapest (fit_seconds 1) of the 2 that do not differ" in champion["reason"]


def test_a_single_candidate_wins():
    assert champion_of(alone=(2, 1))["reason"] == "alone (99.00 %) is the only candidate."


def test_the_cost_is_a_parameter():
    parameters = ModelSelectionParameters(alpha=0.05, cost="model_bytes")
    assert champion_of(parameters, slow_and_small=(5, 100), fast=(2, 1))["candidate"] == (
        "slow_and_small"
    )


def test_alpha_decides_what_counts_as_a_difference():
    candidates = {"cheap": (20, 1), "dear": (2, 100)}
    strict = ModelSelectionParameters(alpha=1e-9, cost="fit_seconds")
    assert champion_of(strict, **candidates)["candidate"] == "cheap"


def test_the_champion_says_on_what_it_was_chosen():
    champion = champion_of(alone=(2, 1))
    assert champion["settings"]["estimator"] == "alone"
    assert (champion["data"], champion["data_sha256"]) == ("digits", "abc")
    assert champion["sha256"] == {"train_images": "def"}
    assert champion["splits_sha256"] == "ghi"
    assert (champion["alpha"], champion["cost"]) == (0.05, "fit_seconds")
    assert champion["provenance"] == {"run_id": "now"}
    assert champion["validation_accuracy"] == 0.99


def test_candidates_trained_on_different_data_are_not_compared():
    made = results(a=(1, 1), b=(2, 1))
    made["b.metrics"]["data_sha256"] = "other"
    with pytest.raises(ValueError, match="found a and b trained on different data"):
        rank_candidates(PARAMETERS, **made)


def test_candidates_validated_on_different_images_are_not_compared():
    made = results(a=(1, 1), b=(2, 1))
    made["b.validation_predictions"] = made["b.validation_predictions"].assign(index=7)
    with pytest.raises(ValueError, match="found a and b validated on different images"):
        rank_candidates(PARAMETERS, **made)
