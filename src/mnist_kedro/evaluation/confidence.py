"""How sure a classifier must be: below that, an image may be of none of its classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mnist_kedro.lazy import pd

UNSURE = 0.02  # of the validation images that are read right get the warning, too


def confidence_threshold(validation_predictions: pd.DataFrame) -> float | None:
    """Return the confidence of which 2 % of the rightly predicted images fall short.

    Args:
        validation_predictions: `label`, `prediction` and `confidence` of each image.

    Returns:
        The confidence, 0-1; `None` if the classifier gives no probabilities, or is never right.
    """
    table = validation_predictions
    right = table.loc[table["label"] == table["prediction"], "confidence"].dropna()
    return None if right.empty else float(right.quantile(UNSURE))


def warn_if_unsure(
    confidence: float | None, threshold: float | None, class_names: Iterable[str]
) -> str | None:
    """Return a warning if the confidence is below the threshold; where one is missing, `None`."""
    if confidence is None or threshold is None or confidence >= threshold:
        return None
    of_digits = all(map(str.isdecimal, class_names))
    return f"this may not be {'a digit' if of_digits else 'any of the classes'}"
