import numpy as np
import onnx
import pytest
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier

from mnist_kedro.classifiers.onnx_export import OPSETS
from mnist_kedro.classifiers.onnx_forest import convert_forest
from mnist_kedro.formats.onnx_predict import load_onnx


def features(n):
    """Neighbours among the numbers of `float32`, which has none in the middle of two of them."""
    return np.float32(2**24 + 2 * np.random.default_rng(n).integers(0, 8, (n, 6)))


@pytest.mark.parametrize("classes", [[0], [3, 8], [0, 1, 2, 3]])
@pytest.mark.parametrize("kind", [RandomForestClassifier, ExtraTreesClassifier])
def test_probabilities_are_the_forests(kind, classes):
    labels = np.resize(np.uint8(classes), 200)
    forest = kind(n_estimators=9, max_depth=4, random_state=0).fit(features(200), labels)
    model = convert_forest(forest, OPSETS)
    model.graph.input[0].name = "images"  # as `load_onnx` calls it
    model.graph.node[0].input[0] = "images"
    onnx.checker.check_model(model)
    found = load_onnx(model.SerializeToString())(features(500))
    np.testing.assert_allclose(found, forest.predict_proba(features(500)), atol=1e-7)
