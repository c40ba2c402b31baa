import numpy as np
import pandas as pd
import pytest

from mnist_kedro.parameters import UserError
from mnist_kedro.pipelines.model_selection.nodes import (
    COLUMNS,
    ModelSelectionParameters,
    choose_champion,
    rank_candidates,
)

N = 200
PARAMETERS = ModelSelectionParameters(alpha=0.05, cost="fit_cpu_seconds")


def results(**candidates):
    """Results by candidate: number of wrong predictions (the first ones), seconds to fit, bytes."""
    made = {}
    for name, (wrong, seconds, *size) in candidates.items():
        labels = np.arange(N) % 10
        predictions = np.where(np.arange(N) < wrong, (labels + 1) % 10, labels)
        made[f"{name}.validation_predictions"] = pd.DataFrame(
            {"index": np.arange(N), "label": labels, "prediction": predictions}
        )
        made[f"{name}.metrics"] = dict.fromkeys(COLUMNS[2:], 0.0) | {
            "validation_accuracy": 1 - wrong / N,
            "fit_cpu_seconds": seconds,
            "model_bytes": size[0] if size else 1000 - seconds,
            "confidence_threshold": 0.9,
            "data": "digits",
            "class_names": ["a", "b"],
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
    return choose_champion(board, parameters, **metrics)


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
        "cheap (97.50 %) costs less than dear (99.00 %), the most accurate (fit_cpu_seconds 1 "
        "against 100), which is not significantly better (exact McNemar, p = 0.25 >= 0.05)."
    )


def test_the_most_accurate_may_be_the_cheapest_too():
    champion = champion_of(good=(2, 1), equal=(3, 2), bad=(60, 0.1))
    assert champion["candidate"] == "good"
    assert champion["reason"] == (
        "good (99.00 %) is the most accurate, and the cheapest (fit_cpu_seconds 1) of the 2 that "
        "do not differ significantly (exact McNemar, p >= 0.05)."
    )


@pytest.mark.parametrize(
    ("seconds", "winner"),
    [((10, 11), "b"), ((3, 3.3), "b"), ((0.7, 0.77), "b"), ((100, 110), "b"), ((10, 11.01), "a")],
)
def test_ten_percent_more_is_a_near_tie_and_more_is_none(seconds, winner):
    cheaper, dearer = seconds
    assert champion_of(a=(6, cheaper), b=(5, dearer))["candidate"] == winner


def test_near_is_measured_from_the_cheapest_not_from_neighbour_to_neighbour():
    assert champion_of(a=(7, 1.0), b=(6, 1.09), c=(5, 1.18))["candidate"] == "b"


def test_a_near_tie_with_a_significantly_worse_candidate_is_none():
    assert champion_of(worse=(60, 1.0), good=(3, 5), better=(2, 5.2))["candidate"] == "better"


@pytest.mark.parametrize("seconds", [(1, 2, 3, 4), (4, 3, 2, 1), (2, 4, 1, 3)])
def test_the_order_does_not_depend_on_measured_seconds(seconds):
    wrong_and_bytes = {"d": (5, 700), "c": (5, 800), "b": (5, 800), "a": (6, 1)}
    made = {
        name: (wrong, measured, size)
        for (name, (wrong, size)), measured in zip(wrong_and_bytes.items(), seconds, strict=True)
    }
    board = rank_candidates(PARAMETERS, **results(**made))
    assert list(board["candidate"]) == ["d", "b", "c", "a"]


def test_a_near_tie_that_decided_for_the_most_accurate_is_told():
    assert champion_of(cheap=(6, 1), better=(5, 1.1), bad=(60, 0.1))["reason"] == (
        "better (97.50 %) is the most accurate of the 2 that do not differ significantly (exact "
        "McNemar, p >= 0.05); cheap (97.00 %) costs less by no more than 10 % (fit_cpu_seconds 1 "
        "against 1.1), which counts as equal, and is not more accurate."
    )


def test_a_near_tie_that_decided_between_others_is_told():
    assert champion_of(cheap=(6, 1), better=(5, 1.1), dear=(2, 100))["reason"] == (
        "better (97.50 %) costs less than dear (99.00 %), the most accurate (fit_cpu_seconds 1.1 "
        "against 100), which is not significantly better (exact McNemar, p = 0.25 >= 0.05); cheap "
        "(97.00 %) costs less by no more than 10 % (fit_cpu_seconds 1 against 1.1), which counts "
        "as equal, and is not more accurate."
    )


def test_of_equally_accurate_candidates_none_is_called_better():
    assert champion_of(small=(2, 100, 10), fast=(2, 1, 900))["reason"] == (
        "fast (99.00 %) costs less than small, as accurate (fit_cpu_seconds 1 against 100)."
    )


def test_a_single_candidate_wins():
    assert champion_of(alone=(2, 1))["reason"] == "alone (99.00 %) is the only candidate."


def test_the_cost_is_a_parameter():
    parameters = ModelSelectionParameters(alpha=0.05, cost="model_bytes")
    assert champion_of(parameters, slow_and_small=(5, 100), fast=(2, 1))["candidate"] == (
        "slow_and_small"
    )


def test_alpha_decides_what_counts_as_a_difference():
    candidates = {"cheap": (20, 1), "dear": (2, 100)}
    strict = ModelSelectionParameters(alpha=1e-9, cost="fit_cpu_seconds")
    assert champion_of(strict, **candidates)["candidate"] == "cheap"


def test_the_champion_says_on_what_it_was_chosen():
    champion = champion_of(alone=(2, 1))
    assert champion["settings"]["estimator"] == "alone"
    assert (champion["data"], champion["data_sha256"]) == ("digits", "abc")
    assert champion["class_names"] == ["a", "b"]
    assert champion["confidence_threshold"] == 0.9
    assert champion["sha256"] == {"train_images": "def"}
    assert champion["splits_sha256"] == "ghi"
    assert (champion["alpha"], champion["cost"]) == (0.05, "fit_cpu_seconds")
    assert [*champion][:3] == ["candidate", "reason", "validation_accuracy"]  # what people look for
    assert champion["validation_accuracy"] == 0.99


def test_candidates_of_other_data_or_images_are_not_compared():
    made = results(a=(1, 1), b=(2, 1))
    other = {"b.validation_predictions": made["b.validation_predictions"].assign(index=7)}
    with pytest.raises(UserError, match="found a and b validated on different images"):
        rank_candidates(PARAMETERS, **made | other)
    other = {"b.metrics": made["b.metrics"] | {"data_sha256": "other"}}
    with pytest.raises(UserError, match="found a and b trained on different data"):
        rank_candidates(PARAMETERS, **made | other)
