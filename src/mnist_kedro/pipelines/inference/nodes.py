"""Predict the digits of images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import FilePath

from mnist_kedro.classifiers.classifier import Classifier
from mnist_kedro.idx import read_idx
from mnist_kedro.lazy import pd
from mnist_kedro.metrics import predict_labels
from mnist_kedro.parameters import Parameters


class InferenceParameters(Parameters):
    """Whose digits to read."""

    images: FilePath | None


def predict_images(
    final_model: Classifier,
    test_images: NDArray[np.uint8],
    parameters: InferenceParameters,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Predict a label for each image.

    Args:
        final_model: A fitted classifier of images.
        test_images: `uint8 (n, 28, 28)`, taken when `parameters` name no other.
        parameters: `images` may name an IDX file.

    Returns:
        `ImageId` (from 1) and `Label`, as Kaggle's Digit Recognizer wants them; and `ImageId` and
        `confidence`, the probability of that label, empty for a model that has none.

    Raises:
        IdxFormatError: The file does not hold images of the same size.
    """
    images = test_images
    if parameters.images is not None:
        images = read_idx(parameters.images, test_images.shape[1:])
    labels, probabilities = predict_labels(final_model, images)
    ids = np.arange(1, len(images) + 1)
    confidence = np.nan if probabilities is None else probabilities.max(axis=1)
    return (
        pd.DataFrame({"ImageId": ids, "Label": labels}),
        pd.DataFrame({"ImageId": ids, "confidence": confidence}),
    )
