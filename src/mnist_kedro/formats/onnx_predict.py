"""Predictions of an ONNX model: they need neither PyTorch nor scikit-learn, and no trust."""

from __future__ import annotations

from typing import TYPE_CHECKING

import onnxruntime

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray


def load_onnx(exported: bytes) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
    """Return the function that an ONNX model is.

    Args:
        exported: What `onnx_export.export_to_onnx` returned.

    Returns:
        From images `uint8 (n, 28, 28)` to the probability of each class, `float32 (n, n_classes)`.
        It may be called from several threads at once, and keeps to the thread that calls it.

    Raises:
        ValueError: ONNX Runtime cannot run it.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # for models so small more are no faster
    try:
        session = onnxruntime.InferenceSession(
            exported, options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # its errors have nothing in common
        raise ValueError(f"expected a model that ONNX Runtime can run, found: {error}") from error

    def predict(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        probabilities: NDArray[np.float32]
        (probabilities,) = session.run(None, {"images": images})
        return probabilities

    return predict
