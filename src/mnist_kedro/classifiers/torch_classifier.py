"""The one PyTorch estimator: any network of `networks.py`, trained as a scikit-learn classifier."""

from __future__ import annotations

import threading
from dataclasses import fields
from functools import partial
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import torch
from sklearn.base import ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from mnist_kedro.classifiers.augmentation import Augmentation
from mnist_kedro.classifiers.items import Items, how_to_read
from mnist_kedro.classifiers.networks import build_network, check_options
from mnist_kedro.classifiers.portable import PortableNetwork
from mnist_kedro.classifiers.training import (
    Recipe,
    find_device,
    predict_logits,
    train_epochs,
    uses_bfloat16,
)
from mnist_kedro.classifiers.watching import watch_epochs

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from sklearn.utils import Tags

    from mnist_kedro.classifiers.watching import AfterEpoch

IMAGES = 3  # dimensions of an array of images
# PyTorch has one stream of random numbers, which all threads of a process draw from.
ONE_AT_A_TIME = threading.RLock()


class TorchClassifier(ClassifierMixin, PortableNetwork):
    """A neural network behind `fit` and `predict`.

    Items are `(n, height, width)` or `(n, features)`. `uint8` stays `uint8` in memory and is scaled
    to 0-1 batch by batch; anything else is taken as `float32`, as it is. A memory map of `uint8`
    from 1 GiB on stays a file, and is shuffled in blocks (`items.py`).
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
        items, labels = validate_data(self, X, y, **how_to_read(X))
        if self.augmentation is not None and items.ndim != IMAGES:
            raise ValueError(
                f"expected images (n, height, width) for 'augmentation', found {items.shape}"
            )
        check_classification_targets(labels)
        self.classes_ = np.unique(labels)
        targets = torch.from_numpy(np.searchsorted(self.classes_, labels))
        self.input_shape_, self.input_dtype_ = items.shape[1:], items.dtype
        seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        device = find_device(self.device)
        devices = [device] if device.type == "cuda" else []
        with ONE_AT_A_TIME, torch.random.fork_rng(devices):
            torch.manual_seed(seed)
            self._build_network(device)
            self._train(Items(items, device), targets.to(device), validation_data, after_epoch)
        return self

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:  # noqa: N803
        """Return the probability of each class, `(n, n_classes)`, in the order of `classes_`."""
        check_is_fitted(self)
        items = validate_data(self, X, reset=False, **how_to_read(X))
        if items.shape[1:] != self.input_shape_ or items.dtype != self.input_dtype_:
            raise ValueError(
                f"expected items as in fit, {self.input_dtype_} of shape "
                f"{('n', *self.input_shape_)}, found {items.dtype} of shape {items.shape}"
            )
        logits = predict_logits(self.network_, Items(items, torch.device("cpu")))
        probabilities: NDArray[np.float64] = logits.double().softmax(dim=1).numpy()
        return probabilities

    def predict(self, X: ArrayLike) -> NDArray[Any]:  # noqa: N803
        """Return the most probable label of each item, `(n,)`."""
        most_probable = self.predict_proba(X).argmax(axis=1)
        labels: NDArray[Any] = self.classes_[most_probable]
        return labels

    def _train(
        self,
        items: Items,
        targets: torch.Tensor,
        validation_data: tuple[ArrayLike, ArrayLike] | None,
        after_epoch: AfterEpoch | None,
    ) -> None:
        epochs = train_epochs(self.network_, items, targets, self._recipe())
        validate = partial(self.score, *validation_data) if validation_data else None
        self.history_ = []
        for row in watch_epochs(epochs, self.epochs, self.network, validate):
            self.history_.append(row)
            if after_epoch:
                after_epoch(row)

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

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags
