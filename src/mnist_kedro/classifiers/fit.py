"""Settings and data to a fitted classifier and the history of its training."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from mnist_kedro.classifiers.build import Candidate, build_classifier
from mnist_kedro.lazy import pd

if TYPE_CHECKING:
    from collections.abc import Callable

    from mnist_kedro.classifiers.classifier import Classifier, Labelled

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
        from 1, `seconds` of training so far, `loss`, `train_accuracy`, `validation_accuracy`.
    """
    from sklearn.pipeline import Pipeline
    from sklearn.utils.validation import has_fit_parameter

    classifier: Any = build_classifier(candidate, seed)
    steps = classifier.steps if isinstance(classifier, Pipeline) else [("", classifier)]
    name, last = steps[-1]
    options: dict[str, Any] = {}
    if validation is not None and has_fit_parameter(last, "validation_data"):
        images, labels = validation
        for _, step in steps[:-1]:
            images = step.transform(images)
        options["validation_data"] = images, labels
    if after_epoch and has_fit_parameter(last, "after_epoch"):
        options["after_epoch"] = after_epoch
    options = {f"{name}__{key}".removeprefix("__"): value for key, value in options.items()}
    start = time.perf_counter()
    classifier.fit(*train, **options)
    seconds = time.perf_counter() - start
    history = getattr(last, "history_", [{"epoch": 1, "seconds": seconds}])
    return classifier, pd.DataFrame(history, columns=HISTORY_COLUMNS)
