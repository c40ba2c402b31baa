"""Settings to estimator: the only place where a candidate's YAML block becomes an object."""

from __future__ import annotations

import importlib
import inspect
import json
from typing import TYPE_CHECKING, Any, Protocol, Self

from pydantic import Field, model_validator

from mnist_kedro.lazy import np
from mnist_kedro.parameters import Parameters, UserError, unknown_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

EXAMPLES = {
    "estimator": "classifier, such as sklearn.linear_model.LogisticRegression",
    "transformer": "transformer of images, such as mnist_kedro.classifiers.Deskew",
}


class Classifier(Protocol):
    """A scikit-learn classifier of raw images; it may have `predict_proba` too."""

    classes_: NDArray[np.uint8]

    def fit(self, images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> Any:  # noqa: ANN401
        """Learn from images `uint8 (n, 28, 28)` and labels `uint8 (n,)`."""

    def predict(self, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the label of each image, `uint8 (n,)`."""


class Candidate(Parameters):
    """One block of `parameters_model_training.yml`; valid only if an estimator can be built.

    The transformers, if there are any, change the images on their way to the estimator.
    """

    estimator: str
    transformers: list[str] = Field(default_factory=list)
    hyperparameters: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _can_be_built(self) -> Self:
        build_classifier(self, seed=0)
        plain = json.loads(json.dumps(self.hyperparameters, default=str))
        if plain != self.hyperparameters:  # or the champion's settings could not be saved
            raise UserError(
                f"{self.estimator}: expected hyperparameters of plain values, with text as keys, "
                f"found {self.hyperparameters}"
            )
        return self


def build_classifier(candidate: Candidate, seed: int) -> Classifier:
    """Return an unfitted classifier for raw images `uint8 (n, 28, 28)`.

    Scikit-learn's own estimators take no images. A first step flattens and scales the images for
    them, and is part of the classifier, so that training and prediction cannot drift apart.

    Args:
        candidate: Import paths of transformers of images and of a scikit-learn classifier, and the
            hyperparameters of the latter.
        seed: Given to the estimator as `random_state`, unless the hyperparameters have one.

    Raises:
        UserError: There is no such transformer or classifier, or a hyperparameter is unknown or
            impossible.
    """
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer
    from sklearn.utils import get_tags

    steps = [_create_transformer(path) for path in candidate.transformers]
    estimator = _create_estimator(candidate.estimator, candidate.hyperparameters, seed)
    if not get_tags(estimator).input_tags.three_d_array:
        steps.append(FunctionTransformer(flatten_and_scale))
    classifier: Classifier = make_pipeline(*steps, estimator) if steps else estimator
    return classifier


def flatten_and_scale(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Bring images `uint8 (n, height, width)` to features `float32 (n, height * width)`, 0-1."""
    return images.reshape(len(images), -1).astype(np.float32) / np.float32(255)


def _create_estimator(path: str, hyperparameters: Mapping[str, Any], seed: int) -> Any:  # noqa: ANN401 (any of scikit-learn's)
    from sklearn.base import ClassifierMixin, clone

    estimator = _create(path, ClassifierMixin, "estimator")
    known = estimator.get_params()
    for name in hyperparameters:
        if name not in known:
            raise UserError(f"{path}: {unknown_name('hyperparameter', name, known)}")
    if "random_state" in known:
        estimator.set_params(random_state=seed)
    estimator.set_params(**hyperparameters)
    try:  # `fit` checks the hyperparameters first: without data, it does nothing else
        clone(estimator).fit(np.empty((0, 1)), np.empty(0))
    except UserError:  # of our own estimators
        raise
    except ValueError as error:
        if isinstance(error, TypeError):  # scikit-learn's error for hyperparameters is both
            raise UserError(str(error)) from error
    return estimator


def _create_transformer(path: str) -> Any:  # noqa: ANN401 (any of scikit-learn's)
    from sklearn.base import TransformerMixin
    from sklearn.utils import get_tags

    transformer = _create(path, TransformerMixin, "transformer")
    if not get_tags(transformer).input_tags.three_d_array:
        raise UserError(
            f"expected a transformer of images (n, height, width), such as "
            f"mnist_kedro.classifiers.Deskew, found '{path}', which takes rows of features"
        )
    return transformer


def _create(path: str, kind: type, name: str) -> Any:  # noqa: ANN401 (any of scikit-learn's)
    from sklearn.base import BaseEstimator

    module_name, _, class_name = path.rpartition(".")
    try:
        found = getattr(importlib.import_module(module_name), class_name)
    except (ImportError, AttributeError, ValueError):
        found = None
    if not (
        inspect.isclass(found) and issubclass(found, kind) and issubclass(found, BaseEstimator)
    ):
        raise UserError(
            f"unknown {name} '{path}': expected the import path of a scikit-learn {EXAMPLES[name]}"
        )
    try:
        return found()
    except TypeError as error:
        raise UserError(
            f"expected {name}s that can be made without arguments, found '{path}': {error}"
        ) from error
