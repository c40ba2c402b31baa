import subprocess
import sys
from functools import cache

import numpy as np
import onnx
import pytest
from scipy.ndimage import rotate
from sklearn.base import TransformerMixin
from sklearn.pipeline import make_pipeline

from mnist_kedro.classifiers import Deskew, onnx_export
from mnist_kedro.classifiers.build import Candidate, build_classifier
from mnist_kedro.classifiers.onnx_export import (
    OnnxExportError,
    compare_with_onnx,
    export_to_onnx,
)
from mnist_kedro.data.sources import embedded_digits
from mnist_kedro.formats.onnx_predict import load_onnx

DESKEW = ["mnist_kedro.classifiers.Deskew"]
TORCH = "mnist_kedro.classifiers.TorchClassifier"
BATCH_NORM = {"channels": [4, 8], "batch_norm": True}
CNN = {"network": "cnn", "network_options": BATCH_NORM, "epochs": 1}
LOGISTIC = "sklearn.linear_model.LogisticRegression"
FOREST = "sklearn.ensemble.RandomForestClassifier"
CLASSIFIERS = {
    "mlp": (TORCH, {"epochs": 3}, []),
    "cnn": (TORCH, CNN, []),
    "cnn, deskewed": (TORCH, CNN, DESKEW),
    "logistic": (LOGISTIC, {"C": 0.05, "max_iter": 200}, []),
    "logistic, deskewed": (LOGISTIC, {"C": 0.05, "max_iter": 200}, DESKEW),
    "forest": (FOREST, {"n_estimators": 30}, []),
    "extra trees": ("sklearn.ensemble.ExtraTreesClassifier", {"max_depth": 5}, []),
    "boosting": ("sklearn.ensemble.GradientBoostingClassifier", {"n_estimators": 3}, []),
    "neighbours": ("sklearn.neighbors.KNeighborsClassifier", {"n_neighbors": 3}, []),
    "bayes": ("sklearn.naive_bayes.GaussianNB", {"var_smoothing": 0.1}, []),
    "svm": ("sklearn.svm.LinearSVC", {}, []),
    "histograms": (
        "sklearn.ensemble.HistGradientBoostingClassifier",
        {"max_iter": 1, "max_depth": 1, "max_bins": 3},
        [],
    ),
    "dummy": ("sklearn.dummy.DummyClassifier", {}, []),
}
NOT_EXPORTED = {
    "svm": "expected a classifier with probabilities, found LinearSVC",
    "histograms": "can convert, found HistGradientBoostingClassifier: Unable to create node",
    "dummy": "can convert, found DummyClassifier: Unable to find a shape calculator",
}
DIGITS = embedded_digits()


@cache
def fitted(name):
    """Return the classifier of this name, fitted to the embedded digits, and its ONNX model."""
    estimator, hyperparameters, transformers = CLASSIFIERS[name]
    candidate = Candidate(
        estimator=estimator, hyperparameters=hyperparameters, transformers=transformers
    )
    classifier = build_classifier(candidate, seed=0)
    return classifier.fit(DIGITS.train_images, DIGITS.train_labels)


@cache
def exported(name):
    return export_to_onnx(fitted(name))


@pytest.mark.parametrize("name", [name for name in CLASSIFIERS if name not in NOT_EXPORTED])
def test_the_model_predicts_as_the_classifier_does(name):
    classifier, predict, images = fitted(name), load_onnx(exported(name)), DIGITS.test_images
    expected = classifier.predict_proba(images)
    for n in (1, 7, len(images)):
        found = predict(images[:n])
        assert (found.dtype, found.shape) == (np.float32, (n, 10))
        np.testing.assert_allclose(found, expected[:n], atol=1e-4)
    labels = classifier.classes_[found.argmax(axis=1)]
    np.testing.assert_array_equal(labels, classifier.predict(images))
    assert classifier.classes_.dtype == np.uint8


@pytest.mark.parametrize("name", NOT_EXPORTED)
def test_what_has_no_onnx_form_is_refused_in_one_sentence(name):
    with pytest.raises(OnnxExportError, match=NOT_EXPORTED[name]) as caught:
        export_to_onnx(fitted(name))
    assert "\n" not in str(caught.value)


class Inverted(TransformerMixin):
    """Somebody's own transformer."""


def test_a_transformer_without_an_onnx_form_is_refused():
    with pytest.raises(OnnxExportError, match=r"expected transformers that have .*Inverted"):
        export_to_onnx(make_pipeline(Inverted(), fitted("mlp")))


def drawings():
    """Images on which rounding and edges matter: blank, full, dots, lines and real digits."""
    images = np.zeros((60, 28, 28), dtype=np.uint8)
    images[1] = 255
    images[2, 0, 0] = images[3, 27, 27] = images[4, 13, 7] = 255
    images[5, 0] = images[6, 27, 3:20] = images[7, :, 0] = images[8, 4:9, 27] = 200
    images[9] = np.eye(28) * 255
    line = np.zeros((28, 28))
    line[4:24, 13:15] = 255
    for degrees in range(10, 60):
        images[degrees] = rotate(line, 3 * degrees, reshape=False, order=1)
    return np.concatenate([images, DIGITS.test_images])


def test_deskewed_images_are_the_same_to_the_bit():
    parts = [onnx_export._Function(Deskew().transform_tensor)]
    deskew = load_onnx(onnx_export._trace(parts, "upright").SerializeToString())
    expected = Deskew().transform(drawings())
    np.testing.assert_array_equal(deskew(drawings()), expected)
    np.testing.assert_array_equal(deskew(drawings()[9:10]), expected[9:10])


def test_one_input_and_one_output_and_nothing_of_this_machine():
    model = onnx.load_from_string(exported("logistic, deskewed"))
    (images,), (probabilities,) = model.graph.input, model.graph.output
    n, *size = images.type.tensor_type.shape.dim
    assert (images.name, n.dim_param) == ("images", "n")
    assert [each.dim_value for each in size] == [28, 28]
    assert images.type.tensor_type.elem_type == onnx.TensorProto.UINT8
    assert probabilities.name == "probabilities"
    assert probabilities.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    for name in ("cnn, deskewed", "logistic, deskewed"):
        assert b".py" not in exported(name)


def test_the_comparison_says_how_many_and_how_different():
    compared = compare_with_onnx(fitted("cnn"), exported("cnn"), DIGITS.test_images)
    found = load_onnx(exported("cnn"))(DIGITS.test_images)
    largest = np.abs(found - fitted("cnn").predict_proba(DIGITS.test_images)).max()
    assert compared == {
        "compared": 360,
        "different_labels": 0,
        "largest_probability_difference": pytest.approx(largest, abs=1e-6),
    }
    assert 0 < largest < 1e-5


def test_a_model_of_another_classifier_is_refused():
    other = exported("logistic"), DIGITS.test_images
    with pytest.raises(
        OnnxExportError, match=r"found [1-9]\d* other labels of 360, .* up to 0\.\d"
    ):
        compare_with_onnx(fitted("bayes"), *other)


@pytest.mark.slow
def test_an_export_prints_nothing_and_predicting_needs_no_torch(tmp_path):
    (tmp_path / "model.onnx").write_bytes(exported("mlp"))
    load = (
        "import sys; from mnist_kedro.formats.onnx_predict import load_onnx\n"
        "load_onnx(open('model.onnx', 'rb').read())\n"
        "assert not {'torch', 'sklearn', 'onnx'} & set(sys.modules)\n"
    )
    export = (
        "import numpy as np; from mnist_kedro.classifiers import TorchClassifier, onnx_export\n"
        "images = np.zeros((10, 28, 28), dtype=np.uint8)\n"
        "classifier = TorchClassifier(epochs=1).fit(images, np.arange(10))\n"
        "onnx_export.export_to_onnx(classifier)\n"
    )
    for script in (load, export):
        command = [sys.executable, "-c", script]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)
