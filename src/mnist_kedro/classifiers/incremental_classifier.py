"""Any scikit-learn classifier with `partial_fit`, for images in a file larger than the memory."""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import torch
from sklearn.utils._param_validation import Interval
from sklearn.utils.metaestimators import available_if

from mnist_kedro.classifiers.build import build_estimator, flatten_and_scale
from mnist_kedro.classifiers.by_epochs import EpochClassifier, seeded
from mnist_kedro.classifiers.items import Items
from mnist_kedro.formats.mapped import parts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike, NDArray

    from mnist_kedro.classifiers.watching import AfterEpoch

# Its own schedule takes such steps for pixels that many probabilities round to 0 and 1.
LOGISTIC_REGRESSION = {"loss": "log_loss", "learning_rate": "constant", "eta0": 0.01, "alpha": 1e-5}
SGD = "sklearn.linear_model.SGDClassifier"


class IncrementalClassifier(EpochClassifier):
    """A scikit-learn classifier that is given shuffled batches, not all items at once.

    Items are as in `TorchClassifier`: `uint8` is flattened and scaled to 0-1 batch by batch, and a
    large memory map of it stays a file. The same `random_state` gives the same classifier.

    Args:
        estimator: Import path of a classifier with `partial_fit`. `None`: scikit-learn's
            `SGDClassifier` as `LOGISTIC_REGRESSION`.
        estimator_options: Its hyperparameters.
        epochs: Passes over the training data.
        batch_size: Items that the estimator is given at once.
        random_state: Seed of the estimator and of the order of the items.

    Attributes:
        classes_: `(n_classes,)`, the labels, sorted.
        estimator_: The fitted classifier of features `(n, n_features)`; its labels are the numbers
            of the classes.
        history_: As in `TorchClassifier`; a batch is scored right after the step that it was for.
            `loss` is not a number for an estimator without probabilities.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "estimator": [str, None],
        "estimator_options": [dict, None],
        "epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        estimator: str | None = None,
        estimator_options: dict[str, Any] | None = None,
        epochs: int = 10,
        batch_size: int = 1024,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.estimator = estimator
        self.estimator_options = estimator_options
        self.epochs = epochs
        self.batch_size = batch_size
        self.random_state = random_state

    def fit(
        self,
        X: ArrayLike,  # noqa: N803 (scikit-learn's name)
        y: ArrayLike,
        validation_data: tuple[ArrayLike, ArrayLike] | None = None,
        after_epoch: AfterEpoch | None = None,
    ) -> Self:
        """Train a new estimator; arguments as in `TorchClassifier`.

        Raises:
            ValueError: A hyperparameter, `X` or `y` is not what it should be.
        """
        self._validate_params()
        items, targets = self._read_training_data(X, y)
        with seeded(self.random_state) as seed:
            self.estimator_ = self._build_estimator(seed)
            epochs = self._train_epochs(Items(items, torch.device("cpu")), targets)
            title = type(self.estimator_).__name__
            self._watch(epochs, title, validation_data, after_epoch)
        return self

    def predict(self, X: ArrayLike) -> NDArray[Any]:  # noqa: N803
        """Return the label of each item, `(n,)`: the most probable one, if it has probabilities."""
        if hasattr(self, "predict_proba"):
            numbers = self.predict_proba(X).argmax(axis=1)
        else:
            numbers = self._answer("predict", X)
        labels: NDArray[Any] = self.classes_[numbers]
        return labels

    @available_if(lambda self: hasattr(self._build_estimator(seed=0), "predict_proba"))
    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:  # noqa: N803
        """Return the probability of each class, `(n, n_classes)`, in the order of `classes_`."""
        return self._answer("predict_proba", X)

    def _answer(self, method: str, items: ArrayLike) -> NDArray[Any]:
        """Return what a method of the estimator says of all items, which are read in parts."""
        found = self._read_items(items)
        answer = getattr(self.estimator_, method)
        return np.concatenate([answer(to_features(found[rows])) for rows in parts(found)])

    def _train_epochs(
        self, items: Items, targets: NDArray[np.intp]
    ) -> Iterator[tuple[float, float]]:
        """Yield the mean loss and the accuracy of each epoch."""
        for _ in range(self.epochs):
            scores = np.zeros(2)
            for rows in items.shuffle(self.batch_size):
                features, expected = to_features(items.take(rows).numpy()), targets[rows.numpy()]
                self.estimator_.partial_fit(
                    features, expected, classes=np.arange(len(self.classes_))
                )
                scores += self._score_batch(features, expected)
            loss, accuracy = scores / len(items)
            yield float(loss), float(accuracy)

    def _score_batch(
        self, features: NDArray[np.float32], expected: NDArray[np.intp]
    ) -> tuple[float, int]:
        """Return the sum of the losses, and how many are right."""
        if not hasattr(self.estimator_, "predict_proba"):
            return np.nan, (self.estimator_.predict(features) == expected).sum()
        probabilities = self.estimator_.predict_proba(features)
        given = probabilities[np.arange(len(expected)), expected]
        loss = -np.log(given.clip(min=np.finfo(given.dtype).eps)).sum()
        return loss, (probabilities.argmax(axis=1) == expected).sum()

    def _build_estimator(self, seed: int) -> Any:  # noqa: ANN401 (any of scikit-learn's)
        path, options = self.estimator, self.estimator_options or {}
        if path is None:
            path, options = SGD, LOGISTIC_REGRESSION | options
        estimator = build_estimator(path, options, seed)
        if not hasattr(estimator, "partial_fit"):
            raise ValueError(f"expected 'estimator' to have `partial_fit`, found {path}, without")
        return estimator

    def _validate_params(self) -> None:
        super()._validate_params()
        self._build_estimator(seed=0)


def to_features(items: NDArray[Any]) -> NDArray[np.float32]:
    """Bring items to features `float32 (n, n_features)`; only `uint8` is scaled to 0-1."""
    return flatten_and_scale(items) if items.dtype == np.uint8 else items.reshape(len(items), -1)
