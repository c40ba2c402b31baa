import threading
import time

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from mnist_kedro.classifiers import Deskew, TorchClassifier
from mnist_kedro.classifiers.build import Candidate
from mnist_kedro.classifiers.fit import (
    HISTORY_COLUMNS,
    count_weights,
    fit_classifier,
    predict_probabilities,
)
from mnist_kedro.data.sources import embedded_digits

TORCH = "mnist_kedro.classifiers.TorchClassifier"
DESKEW = "mnist_kedro.classifiers.Deskew"
DIGITS = embedded_digits()
TRAIN = DIGITS.train_images, DIGITS.train_labels
VALIDATION = DIGITS.test_images, DIGITS.test_labels


def test_a_network_has_a_row_per_epoch():
    candidate = Candidate(estimator=TORCH, hyperparameters={"epochs": 2})
    classifier, history = fit_classifier(candidate, 0, TRAIN, VALIDATION)
    assert list(history) == HISTORY_COLUMNS
    assert list(history["epoch"]) == [1, 2]
    assert history["validation_accuracy"].iloc[-1] == classifier.score(*VALIDATION)


def test_a_network_behind_a_transformer_is_validated_behind_it_too():
    candidate = Candidate(
        estimator=TORCH, transformers=[DESKEW], hyperparameters={"epochs": 2, "random_state": 0}
    )
    classifier, history = fit_classifier(candidate, 0, TRAIN, VALIDATION)
    assert list(history["epoch"]) == [1, 2]
    assert history["validation_accuracy"].iloc[-1] == classifier.score(*VALIDATION)
    upright = TorchClassifier(epochs=2, random_state=0).fit(Deskew().transform(TRAIN[0]), TRAIN[1])
    expected = upright.predict_proba(Deskew().transform(VALIDATION[0]))
    np.testing.assert_array_equal(classifier.predict_proba(VALIDATION[0]), expected)


def test_the_time_of_transformers_counts_and_that_of_watching_does_not(monkeypatch):
    def slow(self, images):
        time.sleep(0.3)
        return images

    monkeypatch.setattr(Deskew, "transform", slow)
    candidate = Candidate(estimator=TORCH, transformers=[DESKEW], hyperparameters={"epochs": 2})
    few = TRAIN[0][:200], TRAIN[1][:200]
    _, history = fit_classifier(candidate, 0, few, few, lambda _: time.sleep(1))
    assert 0.3 < history["seconds"].iloc[0] < history["seconds"].iloc[1] < 1
    assert (history["cpu_seconds"] > 0).all()


def test_cpu_seconds_are_those_of_all_threads_and_none_that_it_waited(monkeypatch):
    fit = GaussianNB.fit

    def busy_and_slow(self, *data):
        threads = [threading.Thread(target=work, args=(0.2,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        time.sleep(1)
        return fit(self, *data)

    monkeypatch.setattr(GaussianNB, "fit", busy_and_slow)
    candidate = Candidate(estimator="sklearn.naive_bayes.GaussianNB")
    _, history = fit_classifier(candidate, 0, TRAIN)
    assert history["seconds"].iloc[0] > 1
    assert 0.4 <= history["cpu_seconds"].iloc[0] < 1


def work(seconds):
    start = time.thread_time()
    while time.thread_time() - start < seconds:
        pass


def test_each_epoch_is_told_and_may_be_the_last():
    seen = []

    def after_epoch(row):
        seen.append(row["epoch"])
        if row["epoch"] == 2:
            raise StopIteration

    candidate = Candidate(estimator=TORCH, hyperparameters={"epochs": 5})
    with pytest.raises(StopIteration):
        fit_classifier(candidate, 0, TRAIN, after_epoch=after_epoch)
    assert seen == [1, 2]


def test_a_classifier_without_epochs_has_one_row():
    candidate = Candidate(estimator="sklearn.naive_bayes.GaussianNB")
    classifier, history = fit_classifier(candidate, 0, TRAIN, TRAIN)
    assert list(history["epoch"]) == [1]
    assert history["seconds"].iloc[0] > 0
    assert history[["train_loss", "train_accuracy", "validation_accuracy"]].isna().all(axis=None)
    assert classifier.score(*TRAIN) > 0.5


def test_threads_of_a_forest_do_not_change_the_last_bits():
    images = TRAIN[0].reshape(len(TRAIN[0]), -1)
    forest = RandomForestClassifier(max_depth=4, n_jobs=8, random_state=0)
    forest.fit(images, TRAIN[1])
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
        (DecisionTreeClassifier(max_leaf_nodes=3), None),
        (RandomForestClassifier(7, max_leaf_nodes=3), None),
    ],
)
def test_weights_and_biases_are_counted_where_there_are_any(points, classifier, count):
    assert count_weights(classifier.fit(*points)) == count
