import time

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from mnist_kedro.classifiers import Deskew, TorchClassifier
from mnist_kedro.classifiers.build import Candidate
from mnist_kedro.classifiers.fit import (
    HISTORY_COLUMNS,
    count_parameters,
    fit_classifier,
    predict_probabilities,
)
from mnist_kedro.data.sources import embedded_digits

TORCH = "mnist_kedro.classifiers.TorchClassifier"
DESKEW = "mnist_kedro.classifiers.Deskew"


@pytest.fixture(scope="module")
def digits():
    return embedded_digits()


def test_a_network_has_a_row_per_epoch(digits):
    candidate = Candidate(estimator=TORCH, hyperparameters={"epochs": 2})
    validation = digits.test_images, digits.test_labels
    train = digits.train_images, digits.train_labels
    classifier, history = fit_classifier(candidate, 0, train, validation)
    assert list(history) == HISTORY_COLUMNS
    assert list(history["epoch"]) == [1, 2]
    assert history["validation_accuracy"].iloc[-1] == classifier.score(*validation)


def test_a_network_behind_a_transformer_is_validated_behind_it_too(digits):
    candidate = Candidate(
        estimator=TORCH, transformers=[DESKEW], hyperparameters={"epochs": 2, "random_state": 0}
    )
    validation = digits.test_images, digits.test_labels
    train = digits.train_images, digits.train_labels
    classifier, history = fit_classifier(candidate, 0, train, validation)
    assert list(history["epoch"]) == [1, 2]
    assert history["validation_accuracy"].iloc[-1] == classifier.score(*validation)
    upright = TorchClassifier(epochs=2, random_state=0).fit(Deskew().transform(train[0]), train[1])
    expected = upright.predict_proba(Deskew().transform(validation[0]))
    np.testing.assert_array_equal(classifier.predict_proba(validation[0]), expected)


def test_the_time_of_transformers_counts_and_that_of_watching_does_not(digits, monkeypatch):
    def slow(self, images):
        time.sleep(0.3)
        return images

    monkeypatch.setattr(Deskew, "transform", slow)
    candidate = Candidate(estimator=TORCH, transformers=[DESKEW], hyperparameters={"epochs": 2})
    train = digits.train_images[:200], digits.train_labels[:200]
    _, history = fit_classifier(candidate, 0, train, train, lambda _: time.sleep(1))
    assert 0.3 < history["seconds"].iloc[0] < history["seconds"].iloc[1] < 1


def test_each_epoch_is_told_and_may_be_the_last(digits):
    seen = []

    def after_epoch(row):
        seen.append(row["epoch"])
        if row["epoch"] == 2:
            raise StopIteration

    candidate = Candidate(estimator=TORCH, hyperparameters={"epochs": 5})
    train = digits.train_images, digits.train_labels
    with pytest.raises(StopIteration):
        fit_classifier(candidate, 0, train, after_epoch=after_epoch)
    assert seen == [1, 2]


def test_a_classifier_without_epochs_has_one_row(digits):
    candidate = Candidate(estimator="sklearn.naive_bayes.GaussianNB")
    train = digits.train_images, digits.train_labels
    classifier, history = fit_classifier(candidate, 0, train, train)
    assert list(history["epoch"]) == [1]
    assert history["seconds"].iloc[0] > 0
    assert history[["loss", "train_accuracy", "validation_accuracy"]].isna().all(axis=None)
    assert classifier.score(*train) > 0.5


def test_the_seed_reaches_the_classifier(digits):
    candidate = Candidate(
        estimator="sklearn.ensemble.RandomForestClassifier", hyperparameters={"n_estimators": 5}
    )
    train = digits.train_images, digits.train_labels
    first, second, other = (
        fit_classifier(candidate, seed, train)[0].predict_proba(digits.test_images)
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other)


def test_threads_of_a_forest_do_not_change_the_last_bits(digits):
    images = digits.train_images.reshape(len(digits.train_images), -1)
    forest = RandomForestClassifier(max_depth=4, n_jobs=8, random_state=0)
    forest.fit(images, digits.train_labels)
    expected = predict_probabilities(forest, images)
    for _ in range(20):
        np.testing.assert_array_equal(predict_probabilities(forest, images), expected)


@pytest.fixture(scope="module")
def points():
    """Points of three classes, with four features each."""
    labels = np.repeat(np.arange(3, dtype=np.uint8), 20)
    return np.random.default_rng(0).normal(labels[:, None], 0.3, (60, 4)), labels


@pytest.mark.parametrize(
    ("classifier", "count"),
    [
        (LogisticRegression(), 3 * 4 + 3),
        (make_pipeline(StandardScaler(), LogisticRegression()), 3 * 4 + 3),
        (MLPClassifier((5,), max_iter=500, tol=0.01), 4 * 5 + 5 + 5 * 3 + 3),
        (SVC(), None),
    ],
)
def test_parameters_are_weights_and_biases(points, classifier, count):
    assert count_parameters(classifier.fit(*points)) == count


def test_parameters_of_a_forest_are_the_nodes_of_its_trees(points):
    tree = DecisionTreeClassifier(random_state=0).fit(*points)
    assert count_parameters(tree) == tree.tree_.node_count
    forest = RandomForestClassifier(3, random_state=0).fit(*points)
    assert count_parameters(forest) == sum(each.tree_.node_count for each in forest.estimators_)
