import hashlib
import json
import pickle

import numpy as np
import pandas as pd
import pytest

from mnist_kedro.data.sources import embedded_digits
from mnist_kedro.data.splits import splits_sha256
from mnist_kedro.evaluation.metrics import wilson_interval
from mnist_kedro.formats.idx import idx_sha256
from mnist_kedro.formats.onnx_predict import load_onnx
from mnist_kedro.parameters import UserError
from mnist_kedro.pipelines.final_training.nodes import (
    FinalTrainingParameters,
    describe_final_model,
    draw_reliability_diagram,
    export_final_model,
    find_extra_test,
    find_label_issues,
    score_extra_test,
    train_final_model,
)

NAMES = list("abcdefghij")
PROFILE = {"class_names": NAMES, "sha256": {"test_images": "1" * 64}}
QMNIST = {
    "name": "QMNIST",
    "first": 10_000,
    "archive": None,
    "mirrors": (),
    "files": {"test_images": "images", "test_numbers": "numbers"},
    "sha256": {"test_images": "0" * 64, "test_numbers": "0" * 64},
}
NO_EXTRA_TEST = {"name": None}, None  # and no parameters are looked at


@pytest.fixture(scope="module")
def splits():
    return pd.DataFrame({"index": [0, 1], "label": [0, 1], "split": ["train", "validation"]})


@pytest.fixture(scope="module")
def champion(digits, splits):
    return {
        "candidate": "bayes",
        "settings": {
            "estimator": "sklearn.naive_bayes.GaussianNB",
            "hyperparameters": {"var_smoothing": 0.1},
            "seed": 0,
        },
        "confidence_threshold": 0.9,
        "data": "digits",
        "class_names": NAMES,
        "data_sha256": "abc",
        "validation_accuracy": 0.9,
        "validation_accuracy_low": 0.8,
        "validation_accuracy_high": 0.95,
        "sha256": {key: idx_sha256(array) for key, array in digits._asdict().items()},
        "splits_sha256": splits_sha256(splits),
    }


@pytest.fixture(scope="module")
def trained(digits, champion, splits):
    """The final model, its history, its metrics and its predictions."""
    return train_final_model(champion, *digits[:2], splits, *digits[2:], *NO_EXTRA_TEST)


@pytest.fixture(scope="module")
def model(trained):
    return trained[0]


def test_the_champions_settings_are_fitted_on_all_training_images(digits, trained):
    model, history, *_ = trained
    bayes = model.steps[-1][1]
    assert bayes.var_smoothing == 0.1
    np.testing.assert_array_equal(bayes.class_count_, np.bincount(digits.train_labels))
    assert history["seconds"].iloc[-1] > 0
    assert history["cpu_seconds"].iloc[-1] > 0


def test_the_size_is_that_of_the_model_as_it_is_saved(digits, champion, splits):
    settings = {
        "estimator": "sklearn.ensemble.RandomForestClassifier",
        "hyperparameters": {"n_estimators": 5},
        "seed": 0,
    }
    model, _, metrics, _ = train_final_model(
        champion | {"settings": settings}, *digits[:2], splits, *digits[2:], *NO_EXTRA_TEST
    )
    # That of a loaded one depends on what else its process has loaded.
    assert metrics["model_bytes"] == len(pickle.dumps(model))


def test_changed_training_data_is_refused(digits, champion, splits):
    changed = digits.train_labels.copy()
    changed[0] = 9 - changed[0]
    with pytest.raises(ValueError, match="expected train_labels to be the data of the stages"):
        train_final_model(
            champion, digits.train_images, changed, splits, *digits[2:], *NO_EXTRA_TEST
        )


def test_other_splits_are_refused(digits, champion, splits):
    with pytest.raises(ValueError, match="expected 'splits' to be those on which the champion"):
        train_final_model(champion, *digits[:2], splits[::-1], *digits[2:], *NO_EXTRA_TEST)


def test_changed_test_data_is_refused(digits, champion, splits):
    test = digits.test_images[::-1], digits.test_labels
    with pytest.raises(ValueError, match="expected test_images to be the data of the stages"):
        train_final_model(champion, *digits[:2], splits, *test, *NO_EXTRA_TEST)


def test_the_test_score_and_the_manifest(digits, champion, trained):
    model, _, metrics, predictions = trained
    expected = model.predict(digits.test_images)
    assert metrics["test_accuracy"] == (expected == digits.test_labels).mean()
    assert metrics["test_accuracy_low"] < metrics["test_accuracy"] < metrics["test_accuracy_high"]
    assert metrics["n_test"] == len(predictions) == 360
    assert (metrics["candidate"], metrics["data"]) == ("bayes", "digits")
    np.testing.assert_array_equal(predictions["prediction"], expected)

    found = {"sha256": "ab", "different_labels": 0}
    manifest = describe_final_model(champion, model, metrics, found, {"run_id": "now"})
    assert manifest == {
        **{key: champion[key] for key in ("candidate", "settings", "data", "data_sha256")},
        **{key: champion[key] for key in champion if key.startswith("validation_accuracy")},
        **{key: metrics[key] for key in metrics if key.startswith("test_accuracy")},
        "confidence_threshold": 0.9,
        "classes": [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
        "class_names": NAMES,
        "onnx": found,
        "provenance": {"run_id": "now"},
    }
    assert json.loads(json.dumps(manifest)) == manifest


def test_the_export_is_checked_on_the_test_images(digits, model):
    final_onnx, onnx_check = export_final_model(model, digits.test_images)
    largest = onnx_check.pop("largest_probability_difference")
    assert 0 < largest < 1e-4
    assert onnx_check == {
        "sha256": hashlib.sha256(final_onnx).hexdigest(),
        "compared": 360,
        "different_labels": 0,
    }
    probabilities = load_onnx(final_onnx)(digits.test_images)
    difference = np.abs(probabilities - model.predict_proba(digits.test_images)).max()
    assert largest == pytest.approx(difference, abs=1e-6)


def test_an_export_that_predicts_otherwise_is_not_shared(digits, champion, splits, caplog):
    settings = {"estimator": "sklearn.naive_bayes.BernoulliNB", "seed": 0}
    model, *_ = train_final_model(
        champion | {"settings": settings}, *digits[:2], splits, *digits[2:], *NO_EXTRA_TEST
    )
    final_onnx, onnx_check = export_final_model(model, digits.test_images)
    assert final_onnx == b""
    assert onnx_check["sha256"] is None
    assert onnx_check["reason"].startswith("expected the ONNX model to predict as the classifier")
    assert onnx_check["reason"] in caplog.text


@pytest.fixture(scope="module")
def predictions(trained):
    return trained[3]


def test_the_reliability_diagram_counts_every_image(predictions):
    upper, lower = draw_reliability_diagram(predictions).axes
    assert sum(bar.get_height() for bar in lower.patches) == 360
    assert upper.get_title().startswith("Expected calibration error ")


def test_a_label_that_is_deliberately_wrong_is_suspected():
    labels = np.arange(200, dtype=np.uint8) % 10
    probabilities = np.full((200, 10), 0.001)
    probabilities[np.arange(200), labels] = 0.991
    probabilities[50, [0, 6]] = 0.4, 0.592  # misread, but not confidently
    table = pd.DataFrame(probabilities, columns=[f"probability_{name}" for name in range(10)])
    table.insert(0, "label", labels)
    table.insert(1, "prediction", probabilities.argmax(axis=1))
    table.loc[123, "label"] = 8  # it is a 3
    suspects = find_label_issues(table)
    assert suspects.to_dict("records") == [
        {"index": 123, "label_quality": 0.001, "given_label": 8, "predicted_label": 3}
    ]


def test_the_most_suspicious_label_comes_first(predictions):
    suspects = find_label_issues(predictions)
    assert suspects["label_quality"].is_monotonic_increasing
    assert (suspects["given_label"] != suspects["predicted_label"]).all()
    np.testing.assert_array_equal(predictions["label"][suspects["index"]], suspects["given_label"])


def test_a_classifier_without_probabilities_is_reported_too(digits, champion, splits):
    estimator = "sklearn.linear_model.RidgeClassifier"
    settings = {"estimator": estimator, "hyperparameters": {}, "seed": 0}
    model, _, metrics, predictions = train_final_model(
        champion | {"settings": settings}, *digits[:2], splits, *digits[2:], *NO_EXTRA_TEST
    )
    assert metrics["test_expected_calibration_error"] is None
    assert list(predictions) == ["index", "label", "prediction", "confidence"]
    suspects = find_label_issues(predictions)
    assert list(suspects) == ["index", "label_quality", "given_label", "predicted_label"]
    assert suspects.empty
    assert not draw_reliability_diagram(predictions).axes
    assert export_final_model(model, digits.test_images) == (
        b"",
        {
            "sha256": None,
            "reason": "expected a classifier with probabilities, found RidgeClassifier",
        },
    )


@pytest.fixture
def parameters(tmp_path, write_idx_folder):
    """A folder with the embedded digits' test images."""
    folder = write_idx_folder(tmp_path / "further", embedded_digits())
    given = {"extra_test": str(folder), "note": None, "cache": tmp_path / "cache", "qmnist": QMNIST}
    return FinalTrainingParameters.model_validate(given)


def test_it_is_found_and_then_scored(parameters, model):
    found = find_extra_test(parameters, PROFILE)
    assert (found["name"], found["images"]) == ("further", 360)
    digits = embedded_digits()
    correct = int((model.predict(digits.test_images) == digits.test_labels).sum())
    low, high = wilson_interval(correct, 360)
    assert score_extra_test(model, found["sha256"], parameters, NAMES) == {
        "extra_test": "further",
        "n_extra_test": 360,
        "extra_test_accuracy": correct / 360,
        "extra_test_accuracy_low": low,
        "extra_test_accuracy_high": high,
    }


def test_none_is_wanted(parameters):
    none = parameters.model_copy(update={"extra_test": None})
    assert find_extra_test(none, PROFILE) == NO_EXTRA_TEST[0]


def test_the_test_images_themselves_are_refused(parameters):
    same = {"test_images": idx_sha256(embedded_digits().test_images)}
    with pytest.raises(UserError, match="other images than those of the data set, found the same"):
        find_extra_test(parameters, PROFILE | {"sha256": same})


def test_another_than_the_one_that_was_found_is_refused(
    parameters, model, tmp_path, write_idx_folder
):
    found = find_extra_test(parameters, PROFILE)
    digits = embedded_digits()
    other = digits._replace(test_labels=np.roll(digits.test_labels, 1))
    write_idx_folder(tmp_path / "further", other)
    with pytest.raises(UserError, match="expected the extra test further as it was found"):
        score_extra_test(model, found["sha256"], parameters, NAMES)


def test_an_extra_test_may_lack_classes(tmp_path, parameters, model, write_idx_folder):
    digits = embedded_digits()
    some = np.isin(digits.test_labels, [4, 7])
    few = digits._replace(
        test_images=digits.test_images[some], test_labels=digits.test_labels[some]
    )
    folder = write_idx_folder(tmp_path / "few", few)
    given = parameters.model_copy(update={"extra_test": str(folder)})
    found = find_extra_test(given, PROFILE)
    scores = score_extra_test(model, found["sha256"], given, NAMES)
    correct = model.predict(few.test_images) == few.test_labels
    assert scores["extra_test_accuracy"] == correct.mean()
