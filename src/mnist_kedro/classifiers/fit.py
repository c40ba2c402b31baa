"""Settings and data to a fitted classifier, and what is asked of a fitted one."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from mnist_kedro.classifiers.build import Candidate, build_classifier
from mnist_kedro.lazy import np, pd

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from mnist_kedro.classifiers.build import Classifier
    from mnist_kedro.data.splits import Labelled

TIMES = ["seconds", "cpu_seconds"]
HISTORY_COLUMNS = ["epoch", *TIMES, "train_loss", "train_accuracy", "validation_accuracy"]


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
        validation: The same; scored after each epoch by classifiers that have epochs, and not used
            otherwise.
        after_epoch: Called by those with each new row of the table below.

    Returns:
        The classifier, and a table with a row per epoch (one row for a classifier without): `epoch`
        from 1, `seconds` and `cpu_seconds` of fitting so far, transformers included, `train_loss`,
        `train_accuracy`, `validation_accuracy`. CPU seconds are those of all threads of this
        process, not those of a GPU or of worker processes. What else this process does counts, too:
        other nodes under `ThreadRunner`, and threads of OpenMP that wait for one another.

    Raises:
        UserError: The learning rate is too high.
    """
    from sklearn.utils.validation import has_fit_parameter

    classifier = build_classifier(candidate, seed)
    first, last = _split(classifier)
    start = _now()
    images = first.fit_transform(*train)
    before = _now() - start
    options: dict[str, Any] = {}
    if validation is not None and has_fit_parameter(last, "validation_data"):
        options["validation_data"] = first.transform(validation[0]), validation[1]
    if after_epoch and has_fit_parameter(last, "after_epoch"):
        options["after_epoch"] = after_epoch
    start = _now()
    last.fit(images, train[1], **options)
    times = dict(zip(TIMES, _now() - start, strict=True))
    rows = getattr(last, "history_", [{"epoch": 1, **times}])
    history = pd.DataFrame(rows, columns=HISTORY_COLUMNS)
    history[TIMES] += before
    return classifier, history


def predict_probabilities(
    classifier: Any,  # noqa: ANN401 (any classifier that has them)
    images: NDArray[np.uint8],
) -> NDArray[np.float64]:
    """Return the probability of each class, `(n, n_classes)`, the same to the bit each time.

    A forest with `n_jobs` adds up what its trees say in the order in which its threads end, and the
    last bits of a sum depend on the order. So it gets one thread.
    """
    from joblib import parallel_config

    with parallel_config("sequential"):
        probabilities: NDArray[np.float64] = classifier.predict_proba(images)
    return probabilities


def count_weights(classifier: Any) -> int | None:  # noqa: ANN401 (any estimator)
    """Return how many weights and biases a fitted classifier has; `None` for one that has none."""
    if steps := getattr(classifier, "steps", None):  # a Pipeline: its last step is the classifier
        return count_weights(steps[-1][1])
    if (count := getattr(classifier, "n_parameters_", None)) is not None:
        return int(count)
    if hasattr(classifier, "coef_"):
        return int(classifier.coef_.size + np.size(classifier.intercept_))
    if hasattr(classifier, "coefs_"):
        return sum(int(part.size) for part in (*classifier.coefs_, *classifier.intercepts_))
    return None


def _now() -> NDArray[np.float64]:
    """Return what the clock says, and how long this process has computed, as in `TIMES`."""
    return np.array([time.perf_counter(), time.process_time()])


def _split(classifier: Any) -> tuple[Any, Any]:  # noqa: ANN401 (any classifier)
    """Return what transforms the images, and what classifies them then."""
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import FunctionTransformer

    if isinstance(classifier, Pipeline):
        return classifier[:-1], classifier[-1]
    return FunctionTransformer(), classifier  # which changes nothing
