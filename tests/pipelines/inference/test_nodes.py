import gzip

import numpy as np
import pytest
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import LinearSVC

from mnist_kedro.classifiers.build import flatten_and_scale
from mnist_kedro.idx import IdxFormatError, idx_header
from mnist_kedro.pipelines.inference.nodes import InferenceParameters, predict_images
from mnist_kedro.sources import embedded_digits


@pytest.fixture(scope="module")
def digits():
    return embedded_digits()


def fitted(digits, estimator):
    model = make_pipeline(FunctionTransformer(flatten_and_scale), estimator)
    return model.fit(digits.train_images, digits.train_labels)


def test_predictions_are_kaggles_columns_with_confidence_beside_them(digits):
    model = fitted(digits, GaussianNB())
    images = digits.test_images[:5]
    predictions, confidence = predict_images(model, images, InferenceParameters(images=None))
    assert predictions.to_dict("list") == {
        "ImageId": [1, 2, 3, 4, 5],
        "Label": model.predict(images).tolist(),
    }
    assert confidence["ImageId"].tolist() == [1, 2, 3, 4, 5]
    np.testing.assert_array_equal(confidence["confidence"], model.predict_proba(images).max(axis=1))


def test_images_may_come_from_another_idx_file(digits, tmp_path):
    model = fitted(digits, GaussianNB())
    chosen = digits.test_images[100:103]
    file = tmp_path / "mine.gz"
    file.write_bytes(gzip.compress(idx_header(chosen.shape) + chosen.tobytes()))
    parameters = InferenceParameters.model_validate({"images": str(file)})
    predictions, _ = predict_images(model, digits.test_images, parameters)
    np.testing.assert_array_equal(predictions["Label"], model.predict(chosen))


def test_a_model_without_probabilities_has_no_confidence(digits):
    model = fitted(digits, LinearSVC())
    _, confidence = predict_images(model, digits.test_images, InferenceParameters(images=None))
    assert confidence["confidence"].isna().all()


def test_images_of_another_size_are_refused(digits, tmp_path):
    file = tmp_path / "mine"
    file.write_bytes(idx_header((1, 20, 20)) + bytes(400))
    parameters = InferenceParameters(images=file)
    with pytest.raises(IdxFormatError, match="mine: expected the dimensions"):
        predict_images(fitted(digits, GaussianNB()), digits.test_images, parameters)


def test_a_file_that_is_not_there_is_refused_before_the_run():
    with pytest.raises(ValueError, match="'images' Path does not point to a file, found 'nope'"):
        InferenceParameters.model_validate({"images": "nope"})
