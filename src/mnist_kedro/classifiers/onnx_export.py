"""A fitted classifier as an ONNX model: other programs can run it, and it cannot run code.

Its input is `images`, `uint8 (n, 28, 28)`; its output `probabilities`, `float32 (n, n_classes)`.
Scaling and all other changes of the images are part of it.
"""

from __future__ import annotations

import copy
import textwrap
import warnings
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import torch
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import FunctionTransformer
from torch import nn

from mnist_kedro.classifiers.build import flatten_and_scale
from mnist_kedro.classifiers.fit import predict_probabilities
from mnist_kedro.classifiers.torch_classifier import TorchClassifier
from mnist_kedro.classifiers.training import PREDICTION_BATCH, to_float
from mnist_kedro.formats.onnx_predict import load_onnx
from mnist_kedro.parameters import UserError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    TensorFunction = Callable[[torch.Tensor], torch.Tensor]

OPSETS = {"": 20, "ai.onnx.ml": 3}  # versions of ONNX's operators: what PyTorch writes, too
TOLERANCE = 1e-4  # of a probability


class OnnxExportError(UserError):
    """There is no ONNX model that predicts as the classifier does; says why."""


def export_to_onnx(classifier: Any) -> bytes:  # noqa: ANN401 (any of scikit-learn's)
    """Return the ONNX model of a fitted classifier of images `uint8 (n, 28, 28)`.

    Args:
        classifier: As `build_classifier` makes them: a `TorchClassifier`, or one that skl2onnx
            knows; before it, transformers with a `transform_tensor`, as `Deskew`.

    Raises:
        OnnxExportError: A part of it has no ONNX form, or it has no probabilities.
    """
    *steps, estimator = [step for _, step in getattr(classifier, "steps", [("", classifier)])]
    if not hasattr(estimator, "predict_proba"):
        raise OnnxExportError(f"expected a classifier with probabilities, found {_name(estimator)}")
    parts: list[nn.Module] = [_Function(_tensor_function(step)) for step in steps]
    if isinstance(estimator, TorchClassifier):
        network = copy.deepcopy(estimator.network_).cpu()
        model = _trace([*parts, _Function(to_float), network, nn.Softmax(dim=1)], "probabilities")
    else:
        model = _join(_trace(parts, "features"), _convert(estimator))
    exported: bytes = model.SerializeToString()
    return exported


def compare_with_onnx(
    classifier: Any,  # noqa: ANN401 (any of scikit-learn's)
    exported: bytes,
    images: NDArray[np.uint8],
) -> dict[str, float]:
    """Compare the predictions of a classifier with those of its ONNX model.

    Args:
        classifier: The classifier.
        exported: What `export_to_onnx` made of it.
        images: `uint8 (n, 28, 28)`, n >= 1.

    Returns:
        How many images were `compared`, `different_labels` and `largest_probability_difference`.

    Raises:
        OnnxExportError: Labels differ, or probabilities by more than 1e-4.
    """
    predict, starts = load_onnx(exported), range(0, len(images), PREDICTION_BATCH)
    found = np.concatenate([predict(images[i : i + PREDICTION_BATCH]) for i in starts])
    expected = predict_probabilities(classifier, images)
    different = int((found.argmax(axis=1) != expected.argmax(axis=1)).sum())
    largest = float(np.abs(found - expected).max())
    if different or not largest <= TOLERANCE:
        raise OnnxExportError(
            f"expected the ONNX model to predict as the classifier does, found {different} other "
            f"labels of {len(images):,}, and probabilities that differ by up to {largest:.2g}"
        )
    return {
        "compared": len(images),
        "different_labels": different,
        "largest_probability_difference": largest,
    }


def _name(step: object) -> str:
    return type(step).__name__


class _Function(nn.Module):
    """A function of tensors as a part of a network."""

    def __init__(self, function: TensorFunction) -> None:
        super().__init__()
        self._function = function

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self._function(images)


def _tensor_function(transformer: Any) -> TensorFunction:  # noqa: ANN401 (any of scikit-learn's)
    """Return what a transformer does, as a function of tensors."""
    if isinstance(transformer, FunctionTransformer) and transformer.func is flatten_and_scale:
        return _flatten_and_scale
    if not hasattr(transformer, "transform_tensor"):
        raise OnnxExportError(
            f"expected transformers that have `transform_tensor`, as Deskew has, "
            f"found {_name(transformer)}"
        )
    function: TensorFunction = transformer.transform_tensor
    return function


def _flatten_and_scale(images: torch.Tensor) -> torch.Tensor:
    return to_float(images).flatten(1)


def _trace(parts: list[nn.Module], output: str) -> onnx.ModelProto:
    """Return the ONNX model of what these do to images, one after the other."""
    exported = BytesIO()
    # By PyTorch's older exporter, against its advice: 0.1 s in the place of 3, and 800 modules
    # fewer. Both give the same predictions.
    with warnings.catch_warnings(action="ignore"):
        torch.onnx.export(
            nn.Sequential(*parts).eval(),
            (torch.zeros(2, 28, 28, dtype=torch.uint8),),
            exported,  # type: ignore[arg-type]
            input_names=["images"],
            output_names=[output],
            dynamic_axes={"images": {0: "n"}, output: {0: "n"}},
            opset_version=OPSETS[""],
            dynamo=False,
        )
    return onnx.load_from_string(exported.getvalue())


def _convert(estimator: Any) -> onnx.ModelProto:  # noqa: ANN401 (any of scikit-learn's)
    """Return the ONNX model of an estimator, from `features` to `probabilities`."""
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType

    options: dict[str, Any] = {"zipmap": False}  # else probabilities are a list of mappings
    if isinstance(estimator, KNeighborsClassifier):
        options["optim"] = "cdist"  # an operator of ONNX Runtime's own, forty times as fast
    numbered = copy.copy(estimator)
    features = FloatTensorType([None, estimator.n_features_in_])
    try:
        numbered.classes_ = np.arange(len(estimator.classes_))  # it takes `uint8` for text
        model: onnx.ModelProto = to_onnx(
            numbered,
            initial_types=[("features", features)],
            options={id(numbered): options},
            target_opset=OPSETS,
        )
    except (AttributeError, RuntimeError, ValueError) as error:  # whatever a converter stumbles on
        raise OnnxExportError(
            f"expected a classifier that skl2onnx can convert, found {_name(estimator)}: "
            f"{textwrap.shorten(str(error), 150)}"
        ) from error
    return model


def _join(front: onnx.ModelProto, back: onnx.ModelProto) -> onnx.ModelProto:
    """Return both as one model, from `images` to `probabilities`."""
    front = onnx.compose.add_prefix(front, "front_", rename_inputs=False)
    back.ir_version = front.ir_version
    return onnx.compose.merge_models(
        front, back, io_map=[("front_features", "features")], outputs=["probabilities"]
    )
