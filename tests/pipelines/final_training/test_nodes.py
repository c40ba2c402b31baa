import numpy as np
import pytest

from mnist_kedro.idx import idx_sha256
from mnist_kedro.pipelines.final_training.nodes import (
    describe_final_model,
    fit_final_model,
    score_final_model,
)
from mnist_kedro.sources import embedded_digits


@pytest.fixture(scope="module")
def digits():
    return embedded_digits()


@pytest.fixture(scope="module")
def champion(digits):
    return {
        "candidate": "bayes",
        "settings": {
            "estimator": "sklearn.naive_bayes.GaussianNB",
            "hyperparameters": {"var_smoothing": 0.1},
            "seed": 0,
        },
        "data": "digits",
        "data_sha256": "abc",
        "sha256": {key: idx_sha256(array) for key, array in digits._asdict().items()},
    }


def test_the_champions_settings_are_fitted_on_all_training_images(digits, champion):
    model, history = fit_final_model(champion, digits.train_images, digits.train_labels)
    bayes = model.steps[-1][1]
    assert bayes.var_smoothing == 0.1
    np.testing.assert_array_equal(bayes.class_count_, np.bincount(digits.train_labels))
    assert history["seconds"].iloc[-1] > 0


def test_changed_training_data_is_refused(digits, champion):
    changed = digits.train_labels.copy()
    changed[0] = 9 - changed[0]
    with pytest.raises(ValueError, match="expected train_labels to be the data of the stages"):
        fit_final_model(champion, digits.train_images, changed)


def test_changed_test_data_is_refused(digits, champion):
    model, history = fit_final_model(champion, digits.train_images, digits.train_labels)
    test = digits.test_images[::-1], digits.test_labels
    with pytest.raises(ValueError, match="expected test_images to be the data of the stages"):
        score_final_model(model, history, champion, *test)


def test_the_test_score_and_the_manifest(digits, champion):
    model, history = fit_final_model(champion, digits.train_images, digits.train_labels)
    metrics, predictions = score_final_model(
        model, history, champion, digits.test_images, digits.test_labels
    )
    expected = model.predict(digits.test_images)
    assert metrics["test_accuracy"] == (expected == digits.test_labels).mean()
    assert metrics["test_accuracy_low"] < metrics["test_accuracy"] < metrics["test_accuracy_high"]
    assert metrics["n_test"] == len(predictions) == 360
    assert (metrics["candidate"], metrics["data"]) == ("bayes", "digits")
    np.testing.assert_array_equal(predictions["prediction"], expected)

    manifest = describe_final_model(champion, metrics, {"run_id": "now"})
    assert manifest == {
        **{key: champion[key] for key in ("candidate", "settings", "data", "data_sha256")},
        "test_accuracy": metrics["test_accuracy"],
        "test_accuracy_low": metrics["test_accuracy_low"],
        "test_accuracy_high": metrics["test_accuracy_high"],
        "provenance": {"run_id": "now"},
    }
