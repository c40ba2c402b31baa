import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC

from mnist_kedro.evaluation.metrics import (
    BINS,
    accuracy_text,
    confidence_threshold,
    expected_calibration_error,
    mcnemar_p_value,
    percent,
    reliability_table,
    score_classes,
    score_classifier,
    score_predictions,
    wilson_interval,
)

LABELS = np.array([0, 0, 1, 1, 2], dtype=np.uint8)
PREDICTIONS = np.array([0, 1, 1, 1, 2], dtype=np.uint8)
PROBABILITIES = np.array(
    [[0.8, 0.1, 0.1], [0.2, 0.6, 0.2], [0.1, 0.8, 0.1], [0.0, 1.0, 0.0], [0.1, 0.1, 0.8]]
)


def test_scores_are_exact():
    scores = score_predictions(LABELS, PREDICTIONS, PROBABILITIES, "validation")
    assert scores["validation_accuracy"] == 4 / 5
    assert scores["validation_recall"] == {"0": 0.5, "1": 1.0, "2": 1.0}
    assert scores["validation_macro_f1"] == pytest.approx((2 / 3 + 4 / 5 + 1) / 3)
    expected = -np.log([0.8, 0.2, 0.8, 1.0, 0.8]).mean()
    assert scores["validation_log_loss"] == pytest.approx(expected)
    # Thrice 80 % sure and right, once 60 % and wrong, once 100 % and right.
    assert scores["validation_expected_calibration_error"] == pytest.approx((3 * 0.2 + 0.6 + 0) / 5)
    interval = scores["validation_accuracy_low"], scores["validation_accuracy_high"]
    assert interval == wilson_interval(4, 5)


def test_each_class_is_scored_alone():
    table = score_classes(LABELS, np.array([0, 1, 1, 1, 3], dtype=np.uint8), "abcd")
    assert list(table) == ["class", "name", "precision", "recall", "f1", "images"]
    assert table["class"].tolist() == [0, 1, 2, 3]
    assert table["name"].tolist() == ["a", "b", "c", "d"]
    assert table["recall"][:3].tolist() == [0.5, 1, 0]
    assert table["precision"][[0, 1, 3]].tolist() == pytest.approx([1, 2 / 3, 0])
    assert table["f1"].tolist() == pytest.approx([2 / 3, 0.8, 0, 0])
    assert table["images"].tolist() == [2, 2, 1, 0]
    # What was never predicted has no precision; what is not there, no recall.
    assert np.isnan(table["precision"][2])
    assert np.isnan(table["recall"][3])


def test_the_reliability_table_has_a_row_per_bin_that_is_not_empty():
    confidence = np.array([0.95, 0.99, 0.97, 1.0, 0.5, 0.52])
    table = reliability_table(confidence, np.array([True, True, True, False, True, False]))
    assert list(table) == ["bin", "confidence", "accuracy", "correct", "images"]
    assert table["bin"].tolist() == [7, 14]
    assert table["confidence"].tolist() == pytest.approx([0.51, 0.9775])
    assert table["accuracy"].tolist() == [0.5, 0.75]
    assert table["correct"].tolist() == [1, 3]
    assert table["images"].tolist() == [2, 4]
    error = (2 * abs(0.5 - 0.51) + 4 * abs(0.75 - 0.9775)) / 6  # the mean by images
    assert expected_calibration_error(table) == pytest.approx(error)
    assert reliability_table(np.array([]), np.array([], dtype=bool)).empty


def test_the_upper_end_is_part_of_a_bin_and_no_confidence_falls_out():
    ends = np.array([0.0, 1 / BINS, np.nextafter(1 / BINS, 1), 1.0, np.nextafter(1.0, 2)])
    table = reliability_table(ends, np.ones(5, dtype=bool))
    assert table["bin"].tolist() == [0, 1, BINS - 1]
    assert table["images"].tolist() == [2, 1, 2]


def test_wilson_interval_is_that_of_the_formula_and_stays_within_0_and_1():
    successes, trials, z = 9900, 10_000, 1.959964
    centre = (successes + z**2 / 2) / (trials + z**2)
    half = z / (trials + z**2) * np.sqrt(successes * (trials - successes) / trials + z**2 / 4)
    assert wilson_interval(successes, trials) == pytest.approx((centre - half, centre + half))
    for successes in (0, 100):
        low, high = wilson_interval(successes, 100)
        assert 0 <= low < high <= 1


def test_mcnemar_is_the_sign_test_on_the_images_that_only_one_gets_right():
    one = np.array([True] * 8 + [False] + [True] * 100)
    other = np.array([False] * 8 + [True] + [True] * 100)
    assert mcnemar_p_value(one, other) == pytest.approx(2 * (1 + 9) / 2**9)
    assert mcnemar_p_value(other, one) == mcnemar_p_value(one, other)
    assert mcnemar_p_value(one, one) == 1


@pytest.fixture(scope="module")
def points():
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(3, dtype=np.uint8), 20)
    return random.normal(labels[:, None], 0.3, (60, 4)), labels


def test_a_classifier_is_scored_timed_and_weighed(points):
    features, labels = points
    classifier = LogisticRegression().fit(features, labels)
    scores, table = score_classifier(classifier, features, labels, "test")
    assert scores["test_accuracy"] == classifier.score(features, labels)
    assert scores["predict_ms_per_image"] > 0
    assert scores["predict_ms_single_image"] > 0  # on a busy machine even the smaller of the two
    assert 500 < scores["model_bytes"] < 5000
    assert scores["n_parameters"] == 15
    probabilities = ["probability_0", "probability_1", "probability_2"]
    assert list(table) == ["label", "prediction", "confidence", *probabilities]
    np.testing.assert_array_equal(table["label"], labels)
    np.testing.assert_array_equal(table["prediction"], classifier.predict(features))
    np.testing.assert_array_equal(
        table["confidence"], classifier.predict_proba(features).max(axis=1)
    )
    np.testing.assert_allclose(
        table[probabilities], classifier.predict_proba(features), rtol=0, atol=5e-7
    )


def test_a_classifier_without_probabilities_is_scored_too(points):
    scores, table = score_classifier(SVC().fit(*points), *points, "test")
    assert scores["test_log_loss"] is scores["test_expected_calibration_error"] is None
    assert list(table) == ["label", "prediction", "confidence"]
    assert table["confidence"].isna().all()


def test_an_accuracy_as_people_read_it():
    assert percent(0.98654) == "98.65 %"
    metrics = {"test_accuracy": 0.9865, "test_accuracy_low": 0.98, "test_accuracy_high": 0.99064}
    assert accuracy_text(metrics, "test") == "98.65 % (98.00 to 99.06)"


def test_two_percent_of_what_is_read_right_falls_below_the_threshold():
    right = pd.DataFrame({"label": 1, "prediction": 1, "confidence": np.arange(101) / 100})
    wrong = pd.DataFrame({"label": 1, "prediction": 2, "confidence": np.zeros(50)})
    assert confidence_threshold(pd.concat([wrong, right])) == pytest.approx(0.02)
    assert confidence_threshold(wrong) is None
    assert confidence_threshold(right.assign(confidence=np.nan)) is None
