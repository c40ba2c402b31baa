import numpy as np
import pytest

from mnist_kedro.evaluation.calibration import BINS, expected_calibration_error, reliability_table

CONFIDENCE = np.array([0.95, 0.99, 0.97, 1.0, 0.5, 0.52])
CORRECT = np.array([True, True, True, False, True, False])


def test_the_reliability_table_has_a_row_per_bin_that_is_not_empty():
    table = reliability_table(CONFIDENCE, CORRECT)
    assert list(table) == ["bin", "confidence", "accuracy", "correct", "images"]
    assert table["bin"].tolist() == [7, 14]
    assert table["confidence"].tolist() == pytest.approx([0.51, 0.9775])
    assert table["accuracy"].tolist() == [0.5, 0.75]
    assert table["correct"].tolist() == [1, 3]
    assert table["images"].tolist() == [2, 4]


def test_the_upper_end_is_part_of_a_bin_and_no_confidence_falls_out():
    ends = np.array([0.0, 1 / BINS, np.nextafter(1 / BINS, 1), 1.0, np.nextafter(1.0, 2)])
    table = reliability_table(ends, np.ones(5, dtype=bool))
    assert table["bin"].tolist() == [0, 1, BINS - 1]
    assert table["images"].tolist() == [2, 1, 2]


def test_the_calibration_error_is_the_mean_gap_by_images():
    error = expected_calibration_error(reliability_table(CONFIDENCE, CORRECT))
    assert error == pytest.approx((2 * abs(0.5 - 0.51) + 4 * abs(0.75 - 0.9775)) / 6)


def test_who_is_as_accurate_as_confident_has_no_error():
    table = reliability_table(np.full(4, 0.75), np.array([True, True, True, False]))
    assert expected_calibration_error(table) == 0


def test_without_confidences_the_table_is_empty():
    assert reliability_table(np.array([]), np.array([], dtype=bool)).empty
