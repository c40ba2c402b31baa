import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from mnist_kedro.classifiers.parameter_count import count_parameters


@pytest.fixture(scope="module")
def points():
    """Points of three classes, with four features each."""
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(3, dtype=np.uint8), 20)
    return random.normal(labels[:, None], 0.3, (60, 4)), labels


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
