"""Champions for the tests: small ONNX models that compare digits with the mean ones."""

import hashlib
import io
import json

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from mnist_kedro.data.sources import embedded_digits

VERSION = "2026-01-01T00.00.00.000Z"
BLANK = np.zeros((28, 28), int).tolist()


def mean_images():
    """The mean image of each class, as unit vectors: `float32 (784, 10)`."""
    digits = embedded_digits()
    means = [digits.train_images[digits.train_labels == label].mean(0) for label in range(10)]
    vectors = np.stack(means).reshape(10, -1)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).T.astype(np.float32)


def make_model(weights):
    """ONNX bytes: `images` uint8 (n, 28, 28) -> `probabilities` float32 (n, 10)."""
    nodes = [
        helper.make_node("Cast", ["images"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Reshape", ["float", "shape"], ["flat"]),
        helper.make_node("LpNormalization", ["flat"], ["unit"], axis=1),
        helper.make_node("MatMul", ["unit", "weights"], ["likeness"]),
        helper.make_node("Mul", ["likeness", "sharpness"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    constants = {
        "shape": np.array([-1, 784]),
        "weights": weights,
        "sharpness": np.float32([20]),
    }
    graph = helper.make_graph(
        nodes,
        "digits",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["n", 28, 28])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", 10])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    opset = [helper.make_opsetid("", 18)]
    return helper.make_model(graph, opset_imports=opset, ir_version=10).SerializeToString()


def make_manifest(model, **changes):
    """What `describe_final_model` says of a model, as far as it is served."""
    return {
        "candidate": "mean_digits",
        "settings": {"seed": 0},
        "data": "embedded",
        "data_sha256": "d" * 64,
        "validation_accuracy": 0.9,
        "test_accuracy": 0.8,
        "test_accuracy_low": 0.75,
        "test_accuracy_high": 0.85,
        "confidence_threshold": 0.3,
        "classes": list(range(10)),
        "class_names": list("0123456789"),
        "onnx": {"sha256": hashlib.sha256(model).hexdigest(), "compared": 360},
        **changes,
    }


def save_champion(project, version, model, manifest, champion=None):
    """Write all as a run does: the model, the manifest, and the decision who is the champion."""
    decision = {"champion": {"version": champion or version}}
    manifest = manifest | {"provenance": {"versions": {"final_onnx": version}}}
    contents = {
        "final_model/model.onnx": model,
        "final_model/manifest.json": json.dumps(manifest).encode(),
        "promotion.json": json.dumps(decision).encode(),
    }
    for place, content in contents.items():
        path = project / "data" / "06_models" / place
        path = path / version / path.name
        path.parent.mkdir(parents=True)
        path.write_bytes(content)


def picture(kind="PNG"):
    """The bytes of a picture of a real digit, dark on white."""
    file = io.BytesIO()
    Image.fromarray(255 - embedded_digits().test_images[0]).resize((280, 280)).save(file, kind)
    return file.getvalue()


def form(content, name="file", boundary="limit"):
    """The body of `curl -F <name>=@digit.png`, and its content type."""
    disposition = f'Content-Disposition: form-data; name="{name}"; filename="digit.png"'
    head = f"--{boundary}\r\n{disposition}\r\nContent-Type: image/png\r\n\r\n".encode()
    tail = f"\r\n--{boundary}--\r\n".encode()
    return head + content + tail, f"multipart/form-data; boundary={boundary}"
