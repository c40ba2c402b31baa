import numpy as np
import pandas as pd
import pytest

from mnist_kedro.classifiers.build import Candidate
from mnist_kedro.evaluation.metrics import confidence_threshold, wilson_interval
from mnist_kedro.parameters import UserError
from mnist_kedro.pipelines.model_training.nodes import ModelTrainingParameters, train_candidate

CANDIDATE = Candidate(estimator="sklearn.naive_bayes.GaussianNB")
PARAMETERS = ModelTrainingParameters(seed=0)


def test_the_fit_sees_the_training_split_and_nothing_else(data):
    images, labels, splits, _ = data
    model, history, _, _ = train_candidate(*data, CANDIDATE, PARAMETERS)
    train = splits.query("split == 'train'")["index"]
    expected = images[train].reshape(len(train), -1)[labels[train] == 3].mean(axis=0) / 255
    np.testing.assert_allclose(model.steps[-1][1].theta_[3], expected, rtol=1e-4)
    assert len(history) == 1


def test_the_score_is_that_of_the_validation_split(data):
    images, labels, splits, profile = data
    model, history, metrics, predictions = train_candidate(*data, CANDIDATE, PARAMETERS)
    index = splits.query("split == 'validation'")["index"].to_numpy()
    correct = model.predict(images[index]) == labels[index]
    assert metrics["validation_accuracy"] == correct.mean()
    interval = metrics["validation_accuracy_low"], metrics["validation_accuracy_high"]
    assert interval == wilson_interval(int(correct.sum()), len(index))
    assert metrics["confidence_threshold"] == confidence_threshold(predictions)
    assert metrics["fit_seconds"] == history["seconds"].iloc[-1]
    assert metrics["fit_cpu_seconds"] == history["cpu_seconds"].iloc[-1] > 0
    assert metrics["settings"] == {
        "estimator": "sklearn.naive_bayes.GaussianNB",
        "transformers": [],
        "hyperparameters": {},
        "seed": 0,
    }
    assert (metrics["data"], metrics["data_sha256"]) == ("digits", "abc")
    assert metrics["class_names"] == list("abcdefghij")
    assert metrics["sha256"] == profile["sha256"]
    assert list(predictions) == ["index", "label", "prediction", "confidence"]
    np.testing.assert_array_equal(predictions["index"], index)
    np.testing.assert_array_equal(predictions["label"] == predictions["prediction"], correct)


def test_inputs_are_left_as_they_are(data):
    images, labels, splits, _ = data
    copies = images.copy(), labels.copy(), splits.copy()
    train_candidate(*data, CANDIDATE, PARAMETERS)
    np.testing.assert_array_equal(images, copies[0])
    np.testing.assert_array_equal(labels, copies[1])
    pd.testing.assert_frame_equal(splits, copies[2])


def test_data_that_does_not_belong_together_is_refused(data):
    images, labels, splits, profile = data
    wrong = splits.assign(label=9 - splits["label"])
    with pytest.raises(UserError, match="expected 'splits' to be made from these"):
        train_candidate(images, labels, wrong, profile, CANDIDATE, PARAMETERS)
    with pytest.raises(UserError, match="expected train_images to be the data of the stages"):
        train_candidate(images[::-1], labels, splits, profile, CANDIDATE, PARAMETERS)
