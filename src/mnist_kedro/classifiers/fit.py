"""Settings and data to a fitted classifier and the history of its training."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from mnist_kedro.classifiers.build import Candidate, build_classifier
from mnist_kedro.lazy import pd

if TYPE_CHECKING:
    from collections.abc import Callable

    from mnist_kedro.classifiers.classifier import Classifier
    from mnist_kedro.data.splits import Labelled

HISTORY_COLUMNS = ["epoch", "seconds", "loss", "train_accuracy", "validation_accuracy"]


def fit_classifier(
    candidate: Candidate,
    seed: int,
    train: Labelled,
    validation: Labelled | None = None,
    after_epoch: Callable[[dict[str, float]], None] | None = None,
) -> tuple[Classifier, pd.DataFrame]:
    """Fit one classifier.

    Args:
        candidate: Its settings.
        seed: Of everything random in it.
        train: Images `uint8 (n, 28, 28)` and labels `uint8 (n,)`.
        validation: The same; only looked at after each epoch, by classifiers that have epochs.
        after_epoch: Called by those with each new row of the table below.

    Returns:
        The classifier, and a table with a row per epoch (one row for a classifier without): `epoch`
        from 1, `seconds` of fitting so far, transformers included, `loss`, `train_accuracy`,
        `validation_accuracy`.
    """
    from sklearn.utils.validation import has_fit_parameter

    classifier = build_classifier(candidate, seed)
    first, last = _parts(classifier)
    start = time.perf_counter()
    images = first.fit_transform(*train)
    before = time.perf_counter() - start
    options: dict[str, Any] = {}
    if validation is not None and has_fit_parameter(last, "validation_data"):
        options["validation_data"] = first.transform(validation[0]), validation[1]
    if after_epoch and has_fit_parameter(last, "after_epoch"):
        options["after_epoch"] = after_epoch
    start = time.perf_counter()
    last.fit(images, train[1], **options)
    seconds = time.perf_counter() - start
    rows = getattr(last, "history_", [{"epoch": 1, "seconds": seconds}])
    history = pd.DataFrame(rows, columns=HISTORY_COLUMNS)
    history["seconds"] += before
    return classifier, history


def _parts(classifier: Any) -> tuple[Any, Any]:  # noqa: ANN401 (any classifier)
    """Return what transforms the images, and what classifies them then."""
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import FunctionTransformer

    if isinstance(classifier, Pipeline):
        return classifier[:-1], classifier[-1]
    return FunctionTransformer(), classifier  # which changes nothing
