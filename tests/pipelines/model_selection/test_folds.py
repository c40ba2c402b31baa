import math

import numpy as np
import pandas as pd
import pytest

from mnist_kedro.pipelines.model_selection.folds import (
    COLUMNS,
    compare_folds,
    corrected_t_p_value,
)

BEST = np.array([0.97, 0.95, 0.96, 0.98, 0.99])
WORSE = np.array([0.95, 0.95, 0.95, 0.95, 0.95])


def results(**accuracies):
    """Pooled metrics by candidate: their accuracy in each fold, of 100 images, in 2 seconds."""
    return {
        f"{name}.metrics": {
            "folds": [
                {"fold": n, "images": 100, "validation_accuracy": accuracy, "fit_seconds": 2.0}
                for n, accuracy in enumerate(folds, start=1)
            ]
        }
        for name, folds in accuracies.items()
    }


LEADERBOARD = pd.DataFrame(
    {"candidate": ["b", "a"], "champion": [False, True], "p_value": [1.0, 0.25], "data": "digits"}
)


def test_with_two_folds_the_p_value_is_that_worked_out_by_hand():
    # Differences 0.01 and 0.03: mean 0.02, variance 0.0002, times (1/2 + 1/1) makes 0.0003, so
    # t = 0.02 / sqrt(0.0003) = 2 / sqrt(3). With one degree of freedom t is Cauchy's.
    expected = 1 - 2 / math.pi * math.atan(2 / math.sqrt(3))
    found = corrected_t_p_value(np.array([0.96, 0.98]), np.array([0.95, 0.95]))
    assert found == pytest.approx(expected)
    assert found == pytest.approx(0.4544, abs=5e-5)


def test_with_five_folds_the_p_value_is_that_worked_out_by_hand():
    # Differences 0.02, 0, 0.01, 0.03, 0.04: mean 0.02, variance 0.001 / 4, times (1/5 + 1/4)
    # makes 0.0001125, so t * t = 0.0004 / 0.0001125 = 32 / 9. The distribution of t with four
    # degrees of freedom is 1/2 + 3/4 * (s - s**3 / 3), s = t / sqrt(4 + t * t).
    s = math.sqrt((32 / 9) / (4 + 32 / 9))
    expected = 1 - 3 / 2 * (s - s**3 / 3)
    assert corrected_t_p_value(BEST, WORSE) == pytest.approx(expected)
    assert corrected_t_p_value(WORSE, BEST) == pytest.approx(expected)


def test_equal_accuracies_do_not_differ_and_of_a_constant_difference_nothing_is_known():
    assert corrected_t_p_value(BEST, BEST) == 1.0
    assert math.isnan(corrected_t_p_value(np.array([0.96, 0.95]), np.array([0.95, 0.94])))


def test_a_row_per_candidate_in_the_leaderboards_order():
    _, board = compare_folds(LEADERBOARD, **results(a=WORSE, b=BEST))
    assert list(board) == COLUMNS
    assert board["candidate"].tolist() == ["b", "a"]
    assert board["champion"].tolist() == [False, True]
    assert board["folds"].tolist() == [5, 5]
    assert board["images"].tolist() == [500, 500]
    assert board["fold_accuracy_mean"].tolist() == pytest.approx([0.97, 0.95])
    assert board["fold_accuracy_std"].tolist() == pytest.approx([math.sqrt(0.00025), 0])
    assert board["mcnemar_p_value"].tolist() == [1.0, 0.25]
    assert board["t_test_p_value"].tolist() == [1.0, corrected_t_p_value(BEST, WORSE)]
    assert board["fold_fit_seconds"].tolist() == [2.0, 2.0]


def test_a_row_per_candidate_and_fold():
    scores, _ = compare_folds(LEADERBOARD, **results(a=WORSE, b=BEST))
    assert list(scores) == ["candidate", "fold", "images", "validation_accuracy", "fit_seconds"]
    assert scores["candidate"].tolist() == ["b"] * 5 + ["a"] * 5
    assert scores["fold"].tolist() == [1, 2, 3, 4, 5] * 2
    assert scores["validation_accuracy"].tolist() == [*BEST, *WORSE]
