"""The one PyTorch estimator: any network of `networks.py`, trained as a scikit-learn classifier."""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from joblib import cpu_count
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from mnist_kedro.classifiers.networks import build_network
from mnist_kedro.classifiers.training import Recipe, find_device, network_probabilities, train

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import ArrayLike, NDArray
    from sklearn.utils import Tags

logger = logging.getLogger(__name__)

IMAGES = 3  # dimensions of an array of images

# PyTorch has one stream of random numbers, which all threads of a process draw from.
ONE_AT_A_TIME = threading.RLock()


class TorchClassifier(ClassifierMixin, BaseEstimator):
    """A neural network behind `fit` and `predict`.

    Items are `(n, height, width)` or `(n, features)`. `uint8` stays `uint8` in memory, or in the
    file that is mapped, and is scaled to 0-1 batch by batch; anything else is converted to
    `float32`, without scaling. The same `random_state` and number of threads give the same weights
    on a CPU, to the bit.

    Args:
        network: Name in `networks.NETWORKS`.
        network_options: Options of that network.
        epochs: Passes over the training data.
        batch_size: Items per step.
        learning_rate: Highest one of the cycle.
        weight_decay: Of AdamW.
        label_smoothing: Share of each label that is spread over all classes.
        augmentation: Random changes of training images, see `augmentation.Augmentation`.
        precision: Of the training's arithmetic on CUDA: `float32`, or `bfloat16` (the weights stay
            `float32`). A CPU always trains in `float32`: half the bits make some of them slower.
        n_jobs: Threads of the fit on a CPU, at most one a core; `None` takes as many as PyTorch
            does. A small network gains little from a second one, and waits for it when the machine
            is busy.
        device: `auto` (CUDA where there is one, else the CPU) or a name that PyTorch knows.
        random_state: Seed of the weights, the order of the items, dropout and augmentation.

    Attributes:
        classes_: `(n_classes,)`, the labels, sorted.
        history_: A row per epoch, as `training.train` yields it. A pickle leaves out the seconds.
        network_: The trained network; a pickle holds its weights as NumPy arrays, which any device
            can load.
        n_parameters_: Weights and biases of the network.
    """

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
        n_jobs: int | None = None,
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
        self.n_jobs = n_jobs
        self.device = device
        self.random_state = random_state

    def fit(
        self,
        X: ArrayLike,  # noqa: N803 (scikit-learn's name)
        y: ArrayLike,
        validation_data: tuple[ArrayLike, ArrayLike] | None = None,
        after_epoch: Callable[[dict[str, float]], None] | None = None,
    ) -> Self:
        """Train the network anew.

        Args:
            X: Items, `(n, height, width)` or `(n, features)`.
            y: Labels `(n,)`.
            validation_data: Items and labels whose accuracy goes into `history_` after each epoch;
                they change nothing else.
            after_epoch: Called with each new row of `history_`; what it raises ends the training.

        Raises:
            UserError: A hyperparameter is impossible, or the loss is no longer a number.
            ValueError: `X` or `y` is not what it should be.
        """
        recipe = Recipe.model_validate(self.get_params())
        items, labels = validate_data(self, X, y, **_how_to_read(X))
        check_classification_targets(labels)
        if recipe.augmentation and items.ndim != IMAGES:
            raise ValueError(
                f"expected images (n, height, width) for 'augmentation', found {items.shape}"
            )
        self.classes_, targets = np.unique(labels, return_inverse=True)
        self.input_shape_, self.input_dtype_ = items.shape[1:], items.dtype
        self.history_: list[dict[str, float]] = []
        validate = partial(self.score, *validation_data) if validation_data else None
        device = find_device(recipe.device)
        if recipe.precision == "bfloat16" and device.type == "cpu":
            logger.warning("'precision: bfloat16' is for CUDA: on this CPU it trains in float32.")
        with _seeded(self.random_state, device), _threads(self.n_jobs):
            self.network_ = _place(self._build_network(), device)
            self.n_parameters_ = sum(weights.numel() for weights in self.network_.parameters())
            numbers = torch.from_numpy(targets).to(device)
            for row in train(self.network_, items, numbers, recipe, validate):
                self.history_.append(row)
                if after_epoch:
                    after_epoch(row)
        return self

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:  # noqa: N803
        """Return the probability of each class, `(n, n_classes)`, in the order of `classes_`."""
        check_is_fitted(self)
        items = validate_data(self, X, reset=False, **_how_to_read(X))
        if items.shape[1:] != self.input_shape_ or items.dtype != self.input_dtype_:
            raise ValueError(
                f"expected items as in fit, {self.input_dtype_} of shape "
                f"{('n', *self.input_shape_)}, found {items.dtype} of shape {items.shape}"
            )
        return network_probabilities(self.network_, items, len(self.classes_))

    def predict(self, X: ArrayLike) -> NDArray[Any]:  # noqa: N803
        """Return the most probable label of each item, `(n,)`."""
        most_probable = self.predict_proba(X).argmax(axis=1)
        labels: NDArray[Any] = self.classes_[most_probable]
        return labels

    def _build_network(self) -> torch.nn.Module:
        options = self.network_options or {}
        return build_network(self.network, options, self.input_shape_, len(self.classes_))

    def __getstate__(self) -> dict[str, Any]:
        """Return a state that is equal for equal networks, whatever device and time they took."""
        state = dict(super().__getstate__())
        if network := state.pop("network_", None):
            state["weights_"] = {name: w.cpu().numpy() for name, w in network.state_dict().items()}
            state["history_"] = [
                {name: value for name, value in row.items() if not name.endswith("seconds")}
                for row in state["history_"]
            ]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        # A pickle of an earlier version may lack hyperparameters.
        state = type(self)().get_params() | state
        weights = state.pop("weights_", None)
        super().__setstate__(state)
        if weights is not None:
            with torch.device("meta"):  # draws no random weights, which would be lost anyway
                network = self._build_network()
            network.load_state_dict(
                {name: torch.from_numpy(w) for name, w in weights.items()}, assign=True
            )
            # A network that was trained on a GPU runs on the CPU where there is none.
            device = self.device if torch.cuda.is_available() else "cpu"
            self.network_ = _place(network, find_device(device))

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags


@contextmanager
def _seeded(
    random_state: int | np.random.RandomState | None, device: torch.device
) -> Iterator[None]:
    """Let PyTorch draw the same random numbers each time, whatever other threads do."""
    seed = check_random_state(random_state).randint(np.iinfo(np.int32).max)
    devices = [device] if device.type == "cuda" else []
    with ONE_AT_A_TIME, torch.random.fork_rng(devices):
        torch.manual_seed(seed)
        yield


@contextmanager
def _threads(n_jobs: int | None) -> Iterator[None]:
    """Let PyTorch compute with so many threads in this one, where there are so many cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(min(n_jobs, cpu_count()) if n_jobs else before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _place(network: torch.nn.Module, device: torch.device) -> torch.nn.Module:
    # Convolutions are a quarter faster with the channels last; other layers do not care.
    placed: torch.nn.Module = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return placed


def _how_to_read(items: ArrayLike) -> dict[str, Any]:
    """Return how scikit-learn is to check items: keep `uint8`, convert all else to `float32`."""
    dtype = np.uint8 if getattr(items, "dtype", None) == np.uint8 else np.float32
    return {"dtype": dtype, "allow_nd": True, "order": "C"}
