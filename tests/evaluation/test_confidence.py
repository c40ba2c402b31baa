import numpy as np
import pandas as pd
import pytest

from mnist_kedro.evaluation.confidence import confidence_threshold, warn_if_unsure


def test_two_percent_of_what_is_read_right_falls_below_the_threshold():
    right = pd.DataFrame({"label": 1, "prediction": 1, "confidence": np.arange(101) / 100})
    wrong = pd.DataFrame({"label": 1, "prediction": 2, "confidence": np.zeros(50)})
    assert confidence_threshold(pd.concat([wrong, right])) == pytest.approx(0.02)
    assert confidence_threshold(wrong) is None
    assert confidence_threshold(right.assign(confidence=np.nan)) is None


@pytest.mark.parametrize(
    ("confidence", "threshold", "class_names", "warning"),
    [
        (0.8, 0.9, ["0", "10"], "this may not be a digit"),
        (0.8, 0.9, ["0", "A"], "this may not be any of the classes"),
        (0.9, 0.9, ["0", "A"], None),
        (None, 0.9, ["0", "A"], None),
        (0.8, None, ["0", "A"], None),
    ],
)
def test_who_is_less_sure_gets_a_warning(confidence, threshold, class_names, warning):
    assert warn_if_unsure(confidence, threshold, class_names) == warning
