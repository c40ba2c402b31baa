"""Predictions of an ONNX model: without PyTorch or scikit-learn, and without unpickling."""

from __future__ import annotations

from typing import TYPE_CHECKING

import onnxruntime

from mnist_kedro.parameters import UserError

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray


def load_onnx(exported: bytes) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
    """Return an ONNX model as a function.

    Args:
        exported: What `onnx_export.export_to_onnx` returned.

    Returns:
        From images `uint8 (n, 28, 28)` to the probability of each class, `float32 (n, n_classes)`.
        Several threads may call it at once; each call uses the thread that makes it.

    Raises:
        UserError: ONNX Runtime cannot run it.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # more are no faster for models this small
    try:
        session = onnxruntime.InferenceSession(
            exported, options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # its errors share no other class
        raise UserError(f"expected a model that ONNX Runtime can run, found: {error}") from error

    def predict(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        probabilities: NDArray[np.float32]
        (probabilities,) = session.run(None, {"images": images})
        return probabilities

    return predict
