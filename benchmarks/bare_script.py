"""The work of the default run and nothing else: the peer that the project is measured against.

Reads the four MNIST files, draws a split, fits six classifiers, refits the most accurate on all
training images and scores it on the test images. It knows nothing of the project, so it repeats the
settings in its `conf/base`.

Usage: `python benchmarks/bare_script.py FOLDER`, the folder with the four files, compressed.
"""

from __future__ import annotations

import gzip
import json
import math
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]  # images (n, 28, 28) or labels (n,)
    Predict = Callable[[Bytes], NDArray[Any]]  # images to labels

SEED = 0
TRAIN_SIZE, VALIDATION_SIZE = 8_000, 2_000
PREDICTION_BATCH = 256
TURN, LEAN, SIZE, MOVE = 8, 6, 0.08, 1  # at most, in degrees, degrees, shares and pixels
HALF = any(torch.cpu.get_capabilities().get(name) for name in ("amx_bf16", "avx512_bf16"))


def read_gzip(path: Path) -> Bytes:
    """Return the array that a compressed IDX file holds."""
    with gzip.open(path) as file:
        data = file.read()
    dimensions = data[3]
    shape = np.frombuffer(data, dtype=">u4", count=dimensions, offset=4)
    return np.frombuffer(data, dtype=np.uint8, offset=4 + 4 * dimensions).reshape(shape).copy()


def mlp(*hidden_units: int, inputs: int = 28 * 28) -> nn.Sequential:
    """Build a multi-layer perceptron."""
    layers: list[nn.Module] = [nn.Flatten()]
    for width in hidden_units:
        layers += [nn.Linear(inputs, width), nn.ReLU()]
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, 10))


def cnn() -> nn.Sequential:
    """Build a convolutional network."""
    return nn.Sequential(
        nn.Unflatten(1, (1, 28)),
        *(nn.Conv2d(1, 32, 3, padding=1), nn.MaxPool2d(2), nn.BatchNorm2d(32), nn.ReLU()),
        *(nn.Conv2d(32, 64, 3, padding=1), nn.MaxPool2d(2), nn.BatchNorm2d(64), nn.ReLU()),
        *(nn.Conv2d(64, 128, 3, padding=1), nn.MaxPool2d(2), nn.BatchNorm2d(128), nn.ReLU()),
        *mlp(128, inputs=128 * 3 * 3),
    )


def distort(images: torch.Tensor) -> torch.Tensor:
    """Turn, shear, scale and shift each image at random."""
    angle, shear, size, *shift = 2 * torch.rand(5, len(images)) - 1
    angle, shear = math.radians(TURN) * angle, torch.tan(math.radians(LEAN) * shear)
    cos, sin = torch.cos(angle) / (1 + SIZE * size), torch.sin(angle) / (1 + SIZE * size)
    right, down = (2 * MOVE / 28 * share for share in shift)
    rows = [cos, shear * cos - sin, right, sin, shear * sin + cos, down]
    matrices = torch.stack(rows, dim=1).view(-1, 2, 3)
    grid = nn.functional.affine_grid(matrices, [len(images), 1, 28, 28], align_corners=False)
    return nn.functional.grid_sample(images[:, None], grid, align_corners=False)[:, 0]


def fit_network(
    network: nn.Module,
    images: Bytes,
    labels: Bytes,
    *,
    epochs: int = 20,
    batch_size: int = 128,
    learning_rate: float = 0.01,
    weight_decay: float = 0.3,
    augment: bool = False,
    half: bool = False,
) -> Predict:
    """Train a network: the bare loop, with the data in memory and nothing measured on the way."""
    network = network.to(memory_format=torch.channels_last)
    items, targets = torch.from_numpy(images), torch.from_numpy(labels.astype(np.int64))
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=weight_decay, fused=True)
    steps = epochs * math.ceil(len(items) / batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, steps)
    network.train()
    for _ in range(epochs):
        for batch in torch.randperm(len(items)).split(batch_size):
            inputs = items[batch].float() / 255
            inputs = distort(inputs) if augment else inputs
            with torch.autocast("cpu", torch.bfloat16, enabled=half):
                logits = network(inputs)
            loss = nn.functional.cross_entropy(logits.float(), targets[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return partial(predict_with_network, network)


@torch.inference_mode()
def predict_with_network(network: nn.Module, images: Bytes) -> NDArray[np.int64]:
    """Return the most probable label of each image."""
    network.eval()
    batches = torch.from_numpy(images).split(PREDICTION_BATCH)
    logits = torch.cat([network(batch.float() / 255) for batch in batches])
    labels: NDArray[np.int64] = logits.argmax(dim=1).numpy()
    return labels


def flatten_and_scale(images: Bytes) -> NDArray[np.float32]:
    """Bring images to rows of numbers from 0 to 1."""
    return images.reshape(len(images), -1).astype(np.float32) / np.float32(255)


def fit_estimator(
    estimator: LogisticRegression | RandomForestClassifier, images: Bytes, labels: Bytes
) -> Predict:
    """Fit an estimator of scikit-learn."""
    estimator.fit(flatten_and_scale(images), labels)
    return lambda images: estimator.predict(flatten_and_scale(images))


CANDIDATES: dict[str, Callable[[Bytes, Bytes], Predict]] = {
    "logistic_regression": lambda *data: fit_estimator(
        LogisticRegression(C=0.05, max_iter=200, random_state=SEED), *data
    ),
    "random_forest": lambda *data: fit_estimator(
        RandomForestClassifier(n_estimators=200, n_jobs=-1, random_state=SEED), *data
    ),
    "mlp_64": lambda *data: fit_network(mlp(64), *data),
    "mlp_128": lambda *data: fit_network(mlp(128), *data),
    "mlp_128_128": lambda *data: fit_network(mlp(128, 128), *data),
    "cnn": lambda *data: fit_network(
        *(cnn(), *data),
        epochs=4,
        learning_rate=0.005,
        weight_decay=0.01,
        augment=True,
        half=HALF,
    ),
}


def fit_candidate(name: str, images: Bytes, labels: Bytes) -> Predict:
    """Fit the candidate of this name anew."""
    torch.manual_seed(SEED)
    return CANDIDATES[name](images, labels)


def main(folder: Path) -> None:
    """Do the work; print the champion and the accuracies as JSON."""
    images, labels, test_images, test_labels = (
        read_gzip(folder / f"{split}-{kind}-ubyte.gz")
        for split in ("train", "t10k")
        for kind in ("images-idx3", "labels-idx1")
    )
    train, validation = train_test_split(
        np.arange(len(labels)),
        train_size=TRAIN_SIZE,
        test_size=VALIDATION_SIZE,
        stratify=labels,
        random_state=SEED,
    )
    train.sort()
    accuracies = {}
    for name in CANDIDATES:
        predict = fit_candidate(name, images[train], labels[train])
        accuracies[name] = float(np.mean(predict(images[validation]) == labels[validation]))
    champion = max(accuracies, key=lambda name: accuracies[name])
    predict = fit_candidate(champion, images, labels)
    accuracies["test"] = float(np.mean(predict(test_images) == test_labels))
    print(json.dumps({"champion": champion, "accuracies": accuracies}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
