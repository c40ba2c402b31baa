import numpy as np
import pytest
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from mnist_kedro.classifiers.build import flatten_and_scale
from mnist_kedro.data.sources import embedded_digits
from mnist_kedro.evaluation.metrics import wilson_interval
from mnist_kedro.formats.idx import idx_sha256
from mnist_kedro.parameters import UserError
from mnist_kedro.pipelines.final_training.extra_test import (
    FinalTrainingParameters,
    find_extra_test,
    score_extra_test,
)

NAMES = list("0123456789")
PROFILE = {"class_names": NAMES, "sha256": {"test_images": "1" * 64}}
QMNIST = {
    "name": "QMNIST",
    "first": 10_000,
    "archive": None,
    "mirrors": (),
    "files": {"test_images": "images", "test_numbers": "numbers"},
    "sha256": {"test_images": "0" * 64, "test_numbers": "0" * 64},
}


@pytest.fixture
def parameters(tmp_path, write_idx_folder):
    """A folder with the embedded digits' test images."""
    folder = write_idx_folder(tmp_path / "further", embedded_digits())
    given = {"extra_test": str(folder), "cache": tmp_path / "cache", "qmnist": QMNIST}
    return FinalTrainingParameters.model_validate(given)


@pytest.fixture(scope="module")
def model():
    digits = embedded_digits()
    model = make_pipeline(FunctionTransformer(flatten_and_scale), GaussianNB(var_smoothing=1))
    return model.fit(digits.train_images, digits.train_labels)


def test_it_is_found_and_then_scored(parameters, model):
    found = find_extra_test(parameters, PROFILE)
    assert (found["name"], found["images"]) == ("further", 360)
    digits = embedded_digits()
    correct = int((model.predict(digits.test_images) == digits.test_labels).sum())
    low, high = wilson_interval(correct, 360)
    assert score_extra_test(model, found, parameters, NAMES) == {
        "extra_test": "further",
        "n_extra_test": 360,
        "extra_test_accuracy": correct / 360,
        "extra_test_accuracy_low": low,
        "extra_test_accuracy_high": high,
    }


def test_none_is_wanted(parameters, model):
    none = parameters.model_copy(update={"extra_test": None})
    found = find_extra_test(none, PROFILE)
    assert found == {"name": None}
    assert score_extra_test(model, found, none, NAMES) == {}


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
    with pytest.raises(UserError, match="expected the extra test to be further as it was found"):
        score_extra_test(model, found, parameters, NAMES)


def test_an_extra_test_may_lack_classes(tmp_path, parameters, model, write_idx_folder):
    digits = embedded_digits()
    some = np.isin(digits.test_labels, [4, 7])
    few = digits._replace(
        test_images=digits.test_images[some], test_labels=digits.test_labels[some]
    )
    folder = write_idx_folder(tmp_path / "few", few)
    given = parameters.model_copy(update={"extra_test": str(folder)})
    found = find_extra_test(given, PROFILE)
    scores = score_extra_test(model, found, given, NAMES)
    correct = model.predict(few.test_images) == few.test_labels
    assert scores["extra_test_accuracy"] == correct.mean()
