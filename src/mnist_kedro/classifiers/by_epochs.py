"""What classifiers share that are trained epoch by epoch."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from mnist_kedro.classifiers.items import how_to_read
from mnist_kedro.classifiers.watching import watch_epochs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import ArrayLike, NDArray
    from sklearn.utils import Tags

    from mnist_kedro.classifiers.watching import AfterEpoch


# PyTorch has one stream of random numbers, which all threads of a process draw from.
ONE_AT_A_TIME = threading.RLock()


@contextmanager
def seeded(
    random_state: int | np.random.RandomState | None, devices: Sequence[torch.device] = ()
) -> Iterator[int]:
    """Let PyTorch draw the same random numbers each time, whatever other threads do; yields a seed.

    Args:
        random_state: As scikit-learn takes it.
        devices: Those beside the CPU on which numbers are drawn.
    """
    seed = check_random_state(random_state).randint(np.iinfo(np.int32).max)
    with ONE_AT_A_TIME, torch.random.fork_rng(devices):
        torch.manual_seed(seed)
        yield seed


class EpochClassifier(ClassifierMixin, BaseEstimator):
    """A classifier of items `(n, height, width)` or `(n, features)`, trained in `epochs`."""

    epochs: int
    classes_: NDArray[Any]
    history_: list[dict[str, float]]

    def _read_training_data(
        self, items: ArrayLike, labels: ArrayLike
    ) -> tuple[NDArray[Any], NDArray[np.intp]]:
        """Return the items, checked, and the number of each item's class in `classes_`."""
        found, names = validate_data(self, items, labels, **how_to_read(items))
        check_classification_targets(names)
        self.classes_ = np.unique(names)
        self.input_shape_, self.input_dtype_ = found.shape[1:], found.dtype
        return found, np.searchsorted(self.classes_, names)

    def _read_items(self, items: ArrayLike) -> NDArray[Any]:
        """Return items to be classified, checked to be like those that it was trained on."""
        check_is_fitted(self)
        found: NDArray[Any] = validate_data(self, items, reset=False, **how_to_read(items))
        if found.shape[1:] != self.input_shape_ or found.dtype != self.input_dtype_:
            raise ValueError(
                f"expected items as in fit, {self.input_dtype_} of shape "
                f"{('n', *self.input_shape_)}, found {found.dtype} of shape {found.shape}"
            )
        return found

    def _watch(
        self,
        epochs: Iterator[tuple[float, float]],
        title: str,
        validation_data: tuple[ArrayLike, ArrayLike] | None,
        after_epoch: AfterEpoch | None,
    ) -> None:
        """Train to the end; keep the rows of `watch_epochs`, and hand on each."""
        validate = partial(self.score, *validation_data) if validation_data else None
        self.history_ = []
        for row in watch_epochs(epochs, self.epochs, title, validate):
            self.history_.append(row)
            if after_epoch:
                after_epoch(row)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out of the pickle what was timed."""
        state = dict(super().__getstate__())
        if rows := state.get("history_"):
            state["history_"] = [{k: v for k, v in row.items() if k != "seconds"} for row in rows]
        return state

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags
