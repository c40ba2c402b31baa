import numpy as np
import pytest

from mnist_kedro.classifiers import TorchClassifier
from mnist_kedro.classifiers.build import Candidate, build_classifier, flatten_and_scale
from mnist_kedro.parameters import UserError

FOREST = "sklearn.ensemble.RandomForestClassifier"
TORCH = "mnist_kedro.classifiers.TorchClassifier"


def test_a_scikit_learn_classifier_gets_images_flattened_and_scaled_and_is_not_fitted():
    classifier = build_classifier(Candidate(estimator=FOREST), seed=3)
    scaler, forest = (step for _, step in classifier.steps)
    assert scaler.func is flatten_and_scale
    assert forest.random_state == 3
    assert not [name for name in vars(forest) if name.endswith("_")]


@pytest.mark.parametrize(
    ("estimator", "hyperparameters"),
    [
        ("sklearn.ensemble.BaggingClassifier", {"max_samples": 5000}),
        ("sklearn.neighbors.KNeighborsClassifier", {"n_neighbors": 50}),
        ("sklearn.svm.NuSVC", {"nu": 0.9}),
        ("sklearn.dummy.DummyClassifier", {"strategy": "constant", "constant": 7}),
    ],
)
def test_what_only_the_data_can_make_possible_is_built(estimator, hyperparameters):
    candidate = Candidate(estimator=estimator, hyperparameters=hyperparameters)
    classifier = build_classifier(candidate, seed=0)[-1]
    assert f"{type(classifier).__module__}.{type(classifier).__name__}".startswith(
        estimator.rpartition(".")[0]
    )
    assert classifier.get_params().items() >= hyperparameters.items()


def test_flatten_and_scale_is_exact():
    images = np.array([[[0, 255], [51, 102]]], dtype=np.uint8)
    features = flatten_and_scale(images)
    assert features.dtype == np.float32
    np.testing.assert_array_equal(features, np.float32([[0, 1, 0.2, 0.4]]))


def test_the_torch_classifier_takes_images_itself():
    candidate = Candidate(estimator=TORCH, hyperparameters={"epochs": 2})
    classifier = build_classifier(candidate, seed=3)
    assert isinstance(classifier, TorchClassifier)
    assert (classifier.epochs, classifier.random_state) == (2, 3)


def test_a_random_state_among_the_hyperparameters_wins():
    candidate = Candidate(estimator=FOREST, hyperparameters={"random_state": 7})
    assert build_classifier(candidate, seed=3).steps[-1][1].random_state == 7


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"estimator": "sklearn.ensemble.Forest"}, "unknown estimator 'sklearn.ensemble.Forest'"),
        ({"estimator": "RandomForestClassifier"}, "unknown estimator 'RandomForestClassifier'"),
        ({"estimator": "os.system"}, "unknown estimator 'os.system'"),
        ({"estimator": "sklearn.linear_model.Lasso"}, "a scikit-learn classifier"),
        (
            {"estimator": FOREST, "hyperparameters": {"n_estimator": 3}},
            "unknown hyperparameter 'n_estimator': did you mean 'n_estimators'",
        ),
        ({"estimator": FOREST, "hyperparameters": {"n_estimators": 0}}, "n_estimators.*Got 0"),
        ({"estimator": FOREST, "hyperparameter": {}}, "did you mean 'hyperparameters'"),
        ({"estimator": "sklearn.ensemble.VotingClassifier"}, "can be made without arguments"),
        (
            {"estimator": FOREST, "hyperparameters": {"class_weight": {0: 1.0}}},
            "plain values, with text as keys",
        ),
        ({"estimator": TORCH, "hyperparameters": {"device": "gpu"}}, "found 'gpu'"),
        (
            {"estimator": TORCH, "hyperparameters": {"epochs": 0}},
            "'epochs' should be greater",
        ),
        ({"estimator": TORCH, "hyperparameters": {"network": "cn"}}, "did you mean 'cnn'"),
        (
            {"estimator": TORCH, "hyperparameters": {"network_options": {"hidden_unit": [3]}}},
            "did you mean 'hidden_units'",
        ),
        (
            {"estimator": TORCH, "hyperparameters": {"network_options": {"hidden_units": [0]}}},
            "'hidden_units.0' should be greater than 0, found 0",
        ),
        ({"hyperparameters": {}}, "'estimator' is missing"),
    ],
)
def test_wrong_settings_are_refused_in_one_sentence(settings, sentence):
    with pytest.raises(UserError, match=sentence) as caught:
        Candidate.model_validate(settings)
    assert "\n" not in str(caught.value)
