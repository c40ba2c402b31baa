"""What the project asks of a classifier, whichever library trained it."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Classifier(Protocol):
    """A scikit-learn classifier of raw images; it may have `predict_proba` too."""

    classes_: NDArray[np.uint8]

    def fit(self, images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> Any:  # noqa: ANN401
        """Learn from images `uint8 (n, 28, 28)` and labels `uint8 (n,)`."""

    def predict(self, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the label of each image, `uint8 (n,)`."""
