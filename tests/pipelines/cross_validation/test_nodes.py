import math

import numpy as np
import pandas as pd
import pytest

from mnist_kedro.classifiers.build import Candidate, build_classifier
from mnist_kedro.parameters import UserError
from mnist_kedro.pipelines.cross_validation.nodes import (
    COLUMNS,
    CrossValidationParameters,
    compare_folds,
    corrected_t_p_value,
    cross_validate_candidate,
)

CANDIDATE = Candidate(estimator="sklearn.naive_bayes.GaussianNB")
BEST = np.array([0.97, 0.95, 0.96, 0.98, 0.99])
WORSE = np.array([0.95, 0.95, 0.95, 0.95, 0.95])


def cross_validate(data, folds=3, seed=0):
    parameters = CrossValidationParameters(folds=folds, seed=seed)
    return cross_validate_candidate(*data, CANDIDATE, parameters, 0)


def test_each_image_of_the_sample_is_predicted_once_by_a_classifier_of_the_other_folds(data):
    images, labels, sample, _ = data
    _, predictions = cross_validate(data)
    pd.testing.assert_frame_equal(predictions[["index", "label"]], sample[["index", "label"]])
    assert set(predictions["fold"]) == {1, 2, 3}
    for _, rows in predictions.groupby("fold"):
        others = predictions["index"].drop(rows.index)
        model = build_classifier(CANDIDATE, seed=0).fit(images[others], labels[others])
        np.testing.assert_array_equal(rows["prediction"], model.predict(images[rows["index"]]))


def test_the_scores_are_those_of_the_predictions(data):
    scores, predictions = cross_validate(data)
    assert list(scores) == ["fold", "images", "validation_accuracy", "fit_seconds", "data"]
    by_fold = (predictions["label"] == predictions["prediction"]).groupby(predictions["fold"])
    assert scores["fold"].tolist() == [1, 2, 3]
    assert scores["images"].tolist() == by_fold.size().tolist()
    assert scores["validation_accuracy"].tolist() == by_fold.mean().tolist()
    assert (scores["fit_seconds"] > 0).all()
    assert set(scores["data"]) == {"digits"}


def test_the_seed_decides_on_the_folds(data):
    one, same, other = (cross_validate(data, 2, seed)[1] for seed in (1, 1, 2))
    assert one.equals(same)
    assert not one["fold"].equals(other["fold"])


def test_the_validation_images_of_the_split_are_part_of_the_sample(data):
    images, labels, sample, profile = data
    split = sample.assign(split=np.where(sample["index"] % 5, "train", "validation"))
    found = cross_validate((images, labels, split, profile))[1]
    pd.testing.assert_frame_equal(found, cross_validate(data)[1])


def test_more_folds_than_a_class_has_images_are_refused(data):
    images, labels, sample, profile = data
    few = sample.drop(sample.index[sample["label"] == 7][4:]).reset_index(drop=True)
    cross_validate((images, labels, few, profile), folds=4)
    message = "'cross_validation.folds' of 2 to 4, .* found 5: choose fewer"
    with pytest.raises(UserError, match=message):
        cross_validate((images, labels, few, profile), folds=5)


def test_a_sample_of_other_data_is_refused(data):
    images, labels, sample, profile = data
    other = sample.assign(label=9 - sample["label"])
    with pytest.raises(ValueError, match="expected 'splits' to be made from these"):
        cross_validate((images, labels, other, profile))


@pytest.mark.parametrize("wrong", [{"folds": 1}, {"folds": 2.5}, {"folds": None}, {"seed": -1}])
def test_impossible_parameters_are_refused(wrong):
    with pytest.raises(UserError, match=f"'{next(iter(wrong))}' should be"):
        CrossValidationParameters.model_validate({"folds": 5, "seed": 0} | wrong)


def results(**wrong):
    """Results by candidate: how many of 100 images it misreads in each fold, the first ones."""
    made = {}
    for name, folds in wrong.items():
        accuracies = [1 - count / 100 for count in folds]
        numbers = range(1, len(folds) + 1)
        made[f"{name}.fold_scores"] = pd.DataFrame(
            {"fold": numbers, "images": 100, "validation_accuracy": accuracies}
        ).assign(fit_seconds=2.0, data="digits")
        place = np.arange(100 * len(folds)) % 100
        made[f"{name}.fold_predictions"] = pd.DataFrame(
            {
                "index": np.arange(len(place)),
                "label": 3,
                "fold": np.repeat(numbers, 100),
                "prediction": np.where(place < np.repeat(folds, 100), 5, 3),
            }
        )
    return made


def test_a_row_per_candidate_the_most_accurate_first():
    _, board = compare_folds(**results(a=[5, 5, 5, 5, 5], b=[3, 5, 4, 2, 1]))
    assert list(board) == COLUMNS
    assert board["candidate"].tolist() == ["b", "a"]
    assert board["folds"].tolist() == [5, 5]
    assert board["images"].tolist() == [500, 500]
    assert board["fold_accuracy_mean"].tolist() == pytest.approx([0.97, 0.95])
    assert board["fold_accuracy_std"].tolist() == pytest.approx([math.sqrt(0.00025), 0])
    # 10 images that only b gets right, none that only a does
    assert board["mcnemar_p_value"].tolist() == pytest.approx([1.0, 2 * 0.5**10])
    assert board["t_test_p_value"].tolist() == pytest.approx([1, corrected_t_p_value(BEST, WORSE)])
    assert board["fold_fit_seconds"].tolist() == [2.0, 2.0]
    assert board["data"].tolist() == ["digits", "digits"]


def test_equally_accurate_candidates_stand_in_the_order_of_their_names():
    _, board = compare_folds(**results(c=[1, 1], b=[2, 0], a=[2, 2]))
    assert board["candidate"].tolist() == ["b", "c", "a"]


def test_a_row_per_candidate_and_fold():
    scores, _ = compare_folds(**results(a=[5, 4], b=[3, 6]))
    expected = ["candidate", "fold", "images", "validation_accuracy", "fit_seconds", "data"]
    assert list(scores) == expected
    assert scores["candidate"].tolist() == ["a", "a", "b", "b"]
    assert scores["fold"].tolist() == [1, 2, 1, 2]
    assert scores["validation_accuracy"].tolist() == [0.95, 0.96, 0.97, 0.94]


@pytest.mark.parametrize("column", ["index", "label", "fold"])
def test_candidates_of_other_images_or_folds_are_not_compared(column):
    made = results(a=[1, 2], b=[1, 2])
    made["b.fold_predictions"] = made["b.fold_predictions"].assign(**{column: 1})
    with pytest.raises(UserError, match="same images in the same folds, found a and b"):
        compare_folds(**made)


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
