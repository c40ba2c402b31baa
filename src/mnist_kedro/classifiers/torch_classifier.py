"""The one PyTorch estimator: any network of `networks.py`, trained as a scikit-learn classifier."""

from __future__ import annotations

from dataclasses import fields
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar, Self

import torch
from sklearn.utils._param_validation import Interval

from mnist_kedro.classifiers.augmentation import Augmentation
from mnist_kedro.classifiers.by_epochs import seeded
from mnist_kedro.classifiers.items import Items
from mnist_kedro.classifiers.networks import build_network, check_options
from mnist_kedro.classifiers.portable import PortableNetwork
from mnist_kedro.classifiers.training import (
    Recipe,
    find_device,
    predict_probabilities,
    train_epochs,
    uses_bfloat16,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    from mnist_kedro.classifiers.watching import AfterEpoch

IMAGES = 3  # dimensions of an array of images


class TorchClassifier(PortableNetwork):
    """A neural network behind `fit` and `predict`.

    Items are `(n, height, width)` or `(n, features)`. `uint8` stays `uint8` in memory and is scaled
    to 0-1 batch by batch; anything else is taken as `float32`, as it is. A memory map of `uint8`
    from 256 MiB on stays a file, and is shuffled in blocks (`items.py`).
    The same `random_state` and number of threads give the same weights on a CPU, to the bit.

    Args:
        network: Name in `networks.NETWORKS`.
        network_options: Options of that network.
        epochs: Passes over the training data.
        batch_size: Items per step.
        learning_rate: Highest one of the cycle.
        weight_decay: Of AdamW.
        label_smoothing: Share of each label that is spread over all classes.
        augmentation: Random changes of training images, see `augmentation.Augmentation`.
        precision: Of the training's arithmetic, see `training.Recipe`.
        device: `auto` (CUDA where there is one, else the CPU) or a name that PyTorch knows.
        random_state: Seed of the weights, the order of the items, dropout and augmentation.

    Attributes:
        classes_: `(n_classes,)`, the labels, sorted.
        history_: Per epoch a mapping: `epoch`, `seconds` of training so far, `loss` (mean
            cross-entropy) and `train_accuracy` (both measured while training) and, if `fit` was
            given validation data, `validation_accuracy`. A pickle has all but the seconds.
        n_parameters_: Weights and biases of the network.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "network": [str],
        "network_options": [dict, None],
        "epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
        "augmentation": [dict, None],
        "precision": [str],
        "device": [str],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        network: str = "mlp",
        network_options: dict[str, Any] | None = None,
        epochs: int = 10,
        batch_size: int = 128,
        learning_rate: float = 0.01,
        weight_decay: float = 0.01,
        label_smoothing: float = 0.0,
        augmentation: dict[str, float] | None = None,
        precision: str = "float32",
        device: str = "auto",
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.network = network
        self.network_options = network_options
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.label_smoothing = label_smoothing
        self.augmentation = augmentation
        self.precision = precision
        self.device = device
        self.random_state = random_state

    def fit(
        self,
        X: ArrayLike,  # noqa: N803 (scikit-learn's name)
        y: ArrayLike,
        validation_data: tuple[ArrayLike, ArrayLike] | None = None,
        after_epoch: AfterEpoch | None = None,
    ) -> Self:
        """Train the network anew.

        Args:
            X: Items, `(n, height, width)` or `(n, features)`.
            y: Labels `(n,)`.
            validation_data: Items and labels that are only looked at: their accuracy goes into
                `history_` after each epoch and changes nothing else.
            after_epoch: Called with each new row of `history_`; what it raises ends the training.

        Raises:
            ValueError: A hyperparameter, `X` or `y` is not what it should be.
            FloatingPointError: The loss is no longer a number.
        """
        self._validate_params()
        items, numbers = self._read_training_data(X, y)
        if self.augmentation is not None and items.ndim != IMAGES:
            raise ValueError(
                f"expected images (n, height, width) for 'augmentation', found {items.shape}"
            )
        device = find_device(self.device)
        devices = [device] if device.type == "cuda" else []
        with seeded(self.random_state, devices):
            self._build_network(device)
            targets = torch.from_numpy(numbers).to(device)
            epochs = train_epochs(self.network_, Items(items, device), targets, self._recipe())
            self._watch(epochs, self.network, validation_data, after_epoch)
        return self

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:  # noqa: N803
        """Return the probability of each class, `(n, n_classes)`, in the order of `classes_`."""
        items = Items(self._read_items(X), torch.device("cpu"))
        return predict_probabilities(self.network_, items, len(self.classes_))

    def predict(self, X: ArrayLike) -> NDArray[Any]:  # noqa: N803
        """Return the most probable label of each item, `(n,)`."""
        most_probable = self.predict_proba(X).argmax(axis=1)
        labels: NDArray[Any] = self.classes_[most_probable]
        return labels

    def _recipe(self) -> Recipe:
        """Return how to train, from the hyperparameters of the same names."""
        values = {field.name: getattr(self, field.name) for field in fields(Recipe)}
        if self.augmentation is not None:
            values["augmentation"] = Augmentation.model_validate(self.augmentation)
        return Recipe(**values)

    def _build_network(self, device: torch.device) -> None:
        options = self.network_options or {}
        network = build_network(self.network, options, self.input_shape_, len(self.classes_))
        # Convolutions are a quarter faster so; other layers do not care.
        self.network_ = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.n_parameters_ = sum(weights.numel() for weights in network.parameters())

    def _validate_params(self) -> None:
        super()._validate_params()
        check_options(self.network, self.network_options or {})
        uses_bfloat16(self.precision, find_device(self.device))
        self._recipe()
