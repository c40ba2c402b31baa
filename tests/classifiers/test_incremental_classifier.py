import pickle
import time
from functools import partial

import numpy as np
import pytest
import torch
from sklearn.linear_model import SGDClassifier
from sklearn.utils.estimator_checks import check_estimator

from mnist_kedro.classifiers import IncrementalClassifier
from mnist_kedro.classifiers.build import Candidate, build_classifier
from mnist_kedro.classifiers.incremental_classifier import LOGISTIC_REGRESSION
from mnist_kedro.classifiers.parameter_count import count_parameters
from mnist_kedro.data.sources import embedded_digits
from mnist_kedro.formats import mapped
from mnist_kedro.formats.idx import idx_header, read_idx

DIGITS = embedded_digits()
TRAIN = DIGITS.train_images, DIGITS.train_labels
TEST = DIGITS.test_images, DIGITS.test_labels
HINGE = {"estimator_options": {"loss": "hinge"}}
BAYES = {"estimator": "sklearn.naive_bayes.MultinomialNB"}
Fast = partial(IncrementalClassifier, epochs=2, random_state=0)


@pytest.mark.slow
def test_scikit_learn_compatible():
    checks = check_estimator(IncrementalClassifier(random_state=0), on_skip=None, on_fail=None)
    assert [check for check in checks if check["status"] == "failed"] == []
    assert sum(check["status"] == "passed" for check in checks) > 40


@pytest.mark.parametrize("options", [{}, HINGE, BAYES])
def test_learns_digits_by_any_estimator(options):
    assert Fast(epochs=5, **options).fit(*TRAIN).score(*TEST) > 0.8


def test_one_batch_is_one_step_of_the_estimator():
    classifier = IncrementalClassifier(epochs=1, batch_size=5000, random_state=0).fit(*TRAIN)
    seed = classifier.estimator_.random_state
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        order = torch.randperm(len(TRAIN[0])).numpy()
    features = TRAIN[0].reshape(len(order), -1)[order] / np.float32(255)
    alone = SGDClassifier(**LOGISTIC_REGRESSION, random_state=seed)
    alone.partial_fit(features, TRAIN[1][order], classes=np.arange(10))
    np.testing.assert_array_equal(classifier.estimator_.coef_, alone.coef_)
    np.testing.assert_array_equal(
        classifier.predict(TEST[0]),
        classifier.classes_[alone.predict(TEST[0].reshape(len(TEST[0]), -1) / np.float32(255))],
    )
    assert count_parameters(classifier) == 10 * 784 + 10


def test_labels_of_any_kind_come_back():
    names = np.array(list("abcdefghij"))
    classifier = Fast().fit(TRAIN[0], names[TRAIN[1]])
    assert classifier.classes_.tolist() == names.tolist()
    found = classifier.predict(TEST[0])
    assert (found == names[Fast().fit(*TRAIN).predict(TEST[0])]).all()


def test_probabilities_are_there_if_the_estimator_has_them():
    probabilities = Fast().fit(*TRAIN).predict_proba(TEST[0])
    assert probabilities.shape == (len(TEST[0]), 10)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    assert not hasattr(Fast(**HINGE).fit(*TRAIN), "predict_proba")


def test_history_has_a_row_per_epoch_and_watching_changes_nothing():
    rows = []
    watched = Fast(epochs=3).fit(*TRAIN, validation_data=TEST, after_epoch=rows.append)
    alone = Fast(epochs=3).fit(*TRAIN)
    assert watched.history_ == rows
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert rows[-1]["validation_accuracy"] == watched.score(*TEST)
    assert rows[0]["loss"] > rows[-1]["loss"]
    assert rows[-1]["train_accuracy"] == pytest.approx(watched.score(*TRAIN), abs=0.02)
    assert "validation_accuracy" not in alone.history_[0]
    np.testing.assert_array_equal(watched.estimator_.coef_, alone.estimator_.coef_)
    assert np.isnan(Fast(**HINGE).fit(*TRAIN).history_[0]["loss"])


def test_same_seed_same_pickle_to_the_bit_whatever_it_took():
    first, second, other = (
        Fast(random_state=seed).fit(*TRAIN, after_epoch=after)
        for seed, after in ((1, None), (1, lambda _: time.sleep(0.01)), (2, None))
    )
    assert pickle.dumps(first) == pickle.dumps(second) != pickle.dumps(other)
    loaded = pickle.loads(pickle.dumps(first))
    np.testing.assert_array_equal(loaded.predict_proba(TEST[0]), first.predict_proba(TEST[0]))


def test_fitting_leaves_the_global_random_numbers_alone():
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    Fast().fit(*TRAIN)
    assert torch.equal(torch.rand(1), expected)


def test_learns_as_much_from_a_large_file_sorted_by_label(tmp_path, monkeypatch):
    order = np.argsort(TRAIN[1], kind="stable")
    path = tmp_path / "images-idx3-ubyte"
    path.write_bytes(idx_header(TRAIN[0].shape) + TRAIN[0][order].tobytes())
    monkeypatch.setattr(mapped, "LARGE", 1)
    monkeypatch.setattr("mnist_kedro.classifiers.items.BLOCK", 4)
    monkeypatch.setattr("mnist_kedro.classifiers.items.WINDOW", 128)
    scores = [
        Fast(epochs=5).fit(images, TRAIN[1][order]).score(*TEST)
        for images in (TRAIN[0][order], read_idx(path, (28, 28)))
    ]
    assert scores[1] == pytest.approx(scores[0], abs=0.05)


def test_a_large_file_is_read_in_parts(tmp_path, monkeypatch):
    classifier = Fast().fit(*TRAIN)
    expected = classifier.predict_proba(TEST[0])
    monkeypatch.setattr(mapped, "PART", 784 * 7)
    sizes = []
    predict = classifier.estimator_.predict_proba
    monkeypatch.setattr(
        classifier.estimator_, "predict_proba", lambda x: (sizes.append(len(x)), predict(x))[1]
    )
    np.testing.assert_allclose(classifier.predict_proba(TEST[0]), expected, atol=1e-4)
    assert max(sizes) == 7


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"epochs": 0}, "epochs"),
        ({"batch_size": 0}, "batch_size"),
        ({"estimator": "sklearn.svm.SVC"}, "'estimator' to have `partial_fit`, found sklearn.svm"),
        ({"estimator": "sklearn.svm.Nothing"}, "unknown estimator 'sklearn.svm.Nothing'"),
        ({"estimator_options": {"los": 1}}, "unknown hyperparameter 'los': did you mean 'loss'"),
        ({"estimator_options": {"loss": "lost"}}, "The 'loss' parameter of SGDClassifier must be"),
    ],
)
def test_impossible_settings_are_refused_before_anything_runs(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        IncrementalClassifier(**options).fit(*TRAIN)
    path = "mnist_kedro.classifiers.IncrementalClassifier"
    with pytest.raises(ValueError, match=sentence):
        build_classifier(
            Candidate.model_validate({"estimator": path, "hyperparameters": options}), 0
        )
