import numpy as np
import pandas as pd
import pytest

from mnist_kedro.classifiers.build import Candidate, build_classifier
from mnist_kedro.data.sources import embedded_digits
from mnist_kedro.evaluation.metrics import wilson_interval
from mnist_kedro.evaluation.mistakes import report_mistakes
from mnist_kedro.formats.idx import idx_sha256
from mnist_kedro.pipelines.data_split.nodes import DataSplitParameters, split_folds
from mnist_kedro.pipelines.model_training.nodes import (
    ModelTrainingParameters,
    pool_folds,
    train_candidate,
    train_fold,
)

CANDIDATE = Candidate(estimator="sklearn.naive_bayes.GaussianNB")
PARAMETERS = ModelTrainingParameters(seed=0)
SPLIT = DataSplitParameters(sample_size=None, validation_fraction=0.2, seed=0, folds=3)
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


@pytest.fixture(scope="module")
def folds(data):
    """Metrics of a candidate, the splits, and the results of its three folds."""
    images, labels, splits, profile = data
    _, _, metrics, _ = train_candidate(*data, CANDIDATE, PARAMETERS)
    results = {}
    for n, table in enumerate(split_folds(splits, SPLIT), start=1):
        fold = images, labels, table, profile
        scores, predictions = train_fold(*fold, CANDIDATE, PARAMETERS)
        results |= {f"fold_{n}.scores": scores, f"fold_{n}.predictions": predictions}
    return metrics, splits, results


def test_a_fold_is_read_by_a_model_of_the_others(data, folds):
    images, labels, splits, _ = data
    for n, table in enumerate(split_folds(splits, SPLIT), start=1):
        train, validation = (
            table.query(f"split == '{name}'")["index"] for name in ("train", "validation")
        )
        model = build_classifier(CANDIDATE, seed=0).fit(images[train], labels[train])
        predictions = folds[2][f"fold_{n}.predictions"]
        np.testing.assert_array_equal(predictions["index"], validation)
        np.testing.assert_array_equal(predictions["prediction"], model.predict(images[validation]))


def test_pooled_scores_are_those_of_all_images_of_the_sample(folds):
    metrics, splits, results = folds
    pooled, predictions = pool_folds(metrics, splits, 3, **results)
    np.testing.assert_array_equal(predictions["index"], splits["index"])
    correct = predictions["label"] == predictions["prediction"]
    assert pooled["validation_accuracy"] == correct.mean()
    ends = pooled["validation_accuracy_low"], pooled["validation_accuracy_high"]
    assert ends == wilson_interval(int(correct.sum()), len(splits))
    by_fold = correct.groupby(predictions["fold"])
    rows = pd.DataFrame(pooled["folds"])
    assert list(rows) == ["fold", "images", "validation_accuracy", "fit_seconds"]
    assert rows["fold"].tolist() == [1, 2, 3]
    assert rows["images"].tolist() == by_fold.size().tolist()
    assert rows["validation_accuracy"].tolist() == by_fold.mean().tolist()
    for name in ("log_loss", "fit_seconds"):
        values = [results[f"fold_{n}.scores"][name] for n in (1, 2, 3)]
        assert pooled[name] == pytest.approx(np.average(values, weights=rows["images"]))
    for name in ("settings", "data_sha256", "splits_sha256", "model_bytes"):
        assert pooled[name] == metrics[name]


@pytest.mark.parametrize("wrong", ["settings", "data_sha256"])
def test_a_fold_of_other_settings_or_data_is_refused(folds, wrong):
    metrics, splits, results = folds
    changed = results | {"fold_2.scores": results["fold_2.scores"] | {wrong: "other"}}
    with pytest.raises(ValueError, match="expected folds of the settings, data and splits"):
        pool_folds(metrics, splits, 3, **changed)


def test_folds_of_other_splits_are_refused(folds):
    metrics, splits, results = folds
    twice = results | {"fold_2.predictions": results["fold_1.predictions"]}
    for sample, number, found in ((splits, 3, twice), (splits, 2, results)):
        with pytest.raises(ValueError, match="expected folds of the settings, data and splits"):
            pool_folds(metrics, sample, number, **found)
    with pytest.raises(ValueError, match="expected folds of the settings, data and splits"):
        pool_folds(metrics | {"splits_sha256": "that of others"}, splits, 3, **results)


def test_a_candidate_without_probabilities_has_no_pooled_log_loss(folds):
    metrics, splits, results = folds
    without = {
        name: value | {"log_loss": None} if name.endswith("scores") else value
        for name, value in results.items()
    }
    assert pool_folds(metrics, splits, 3, **without)[0]["log_loss"] is None
