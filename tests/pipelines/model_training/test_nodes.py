import numpy as np
import pandas as pd
import pytest

from mnist_kedro.classifiers.build import Candidate
from mnist_kedro.data.sources import embedded_digits
from mnist_kedro.evaluation.metrics import wilson_interval
from mnist_kedro.evaluation.mistakes import report_mistakes
from mnist_kedro.formats.idx import idx_sha256
from mnist_kedro.pipelines.model_training.nodes import (
    ModelTrainingParameters,
    train_candidate,
)

CANDIDATE = Candidate(estimator="sklearn.naive_bayes.GaussianNB")
PARAMETERS = ModelTrainingParameters(seed=0)
NAMES = list("abcdefghij")


@pytest.fixture(scope="module")
def data():
    """Images, labels, splits and profile; every fifth validates, every seventh is left out."""
    digits = embedded_digits()
    images, labels = digits.train_images, digits.train_labels
    index = np.array([i for i in range(len(labels)) if i % 7])
    names = np.where(index % 5, "train", "validation")
    splits = pd.DataFrame({"index": index, "label": labels[index], "split": names})
    sha256 = {"train_images": idx_sha256(images), "train_labels": idx_sha256(labels)}
    profile = {"name": "digits", "class_names": NAMES, "data_sha256": "abc", "sha256": sha256}
    return images, labels, splits, profile


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
    assert metrics["fit_seconds"] == history["seconds"].iloc[-1]
    assert metrics["settings"] == {
        "estimator": "sklearn.naive_bayes.GaussianNB",
        "transformers": [],
        "hyperparameters": {},
        "seed": 0,
    }
    assert (metrics["data"], metrics["data_sha256"]) == ("digits", "abc")
    assert metrics["class_names"] == NAMES
    assert metrics["sha256"] == profile["sha256"]
    assert list(predictions) == ["index", "label", "prediction", "confidence"]
    np.testing.assert_array_equal(predictions["index"], index)
    np.testing.assert_array_equal(predictions["label"] == predictions["prediction"], correct)


def test_the_report_is_of_the_validation_images(data):
    images, *_ = data
    _, _, metrics, predictions = train_candidate(*data, CANDIDATE, PARAMETERS)
    class_report, confusion_matrix, misread_digits = report_mistakes(predictions, images, metrics)
    assert class_report["name"].tolist() == NAMES
    assert class_report["recall"].tolist() == list(metrics["recall"].values())
    assert class_report["images"].sum() == len(predictions)
    wrong = predictions.query("label != prediction")
    title = f"{len(wrong)} of {len(predictions)} images misread"
    assert confusion_matrix.get_suptitle() == title
    canvas = misread_digits.axes[0].images[0].get_array()
    first = wrong.sort_values("confidence", ascending=False, kind="stable").iloc[0]
    np.testing.assert_array_equal(canvas[:28, :28], images[int(first["index"])])


def test_inputs_are_left_as_they_are(data):
    images, labels, splits, _ = data
    copies = images.copy(), labels.copy(), splits.copy()
    *_, metrics, predictions = train_candidate(*data, CANDIDATE, PARAMETERS)
    before = predictions.copy()
    report_mistakes(predictions, images, metrics)
    pd.testing.assert_frame_equal(predictions, before)
    np.testing.assert_array_equal(images, copies[0])
    np.testing.assert_array_equal(labels, copies[1])
    pd.testing.assert_frame_equal(splits, copies[2])


def test_splits_of_other_data_are_refused(data):
    images, labels, splits, profile = data
    for wrong in (splits.assign(label=9 - splits["label"]), splits.assign(index=10**6)):
        with pytest.raises(ValueError, match="expected 'splits' to be made from these"):
            train_candidate(images, labels, wrong, profile, CANDIDATE, PARAMETERS)


def test_images_that_the_profile_does_not_describe_are_refused(data):
    images, labels, splits, profile = data
    changed = images.copy()
    changed[0, 0, 0] += 1
    with pytest.raises(
        ValueError, match="expected train_images to be the data of the stages before"
    ):
        train_candidate(changed, labels, splits, profile, CANDIDATE, PARAMETERS)
