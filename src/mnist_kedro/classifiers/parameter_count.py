"""How large a model is, in the numbers that it has learned."""

from __future__ import annotations

from typing import Any

import numpy as np


def count_parameters(classifier: Any) -> int | None:  # noqa: ANN401 (any estimator)
    """Return how many numbers a classifier has learned.

    Those of a network or a linear model are its weights and biases; those of trees are their nodes.
    `None` for a kind of model for which there is no such count.
    """
    if steps := getattr(classifier, "steps", None):  # a Pipeline: its last step is the classifier
        return count_parameters(steps[-1][1])
    if (count := getattr(classifier, "n_parameters_", None)) is not None:
        return int(count)
    if hasattr(classifier, "coef_"):
        return int(classifier.coef_.size + np.size(classifier.intercept_))
    if hasattr(classifier, "coefs_"):
        return sum(int(part.size) for part in (*classifier.coefs_, *classifier.intercepts_))
    if hasattr(classifier, "tree_"):
        return int(classifier.tree_.node_count)
    held = getattr(classifier, "estimators_", getattr(classifier, "estimator_", []))
    counts = [count_parameters(part) for part in np.ravel(held)]
    return sum(filter(None, counts)) or None
