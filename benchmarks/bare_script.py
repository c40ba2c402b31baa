"""The work of the default run and nothing else: the peer that the project is measured against.

Reads the four MNIST files, draws a split, fits six classifiers, refits the most accurate on all
training images and scores it on the test images. Of the project it has the settings of the
candidates, so that both do the same fits, and `Deskew`, which it applies once to all images.

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
import yaml
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from torch import nn

from mnist_kedro.classifiers import Deskew

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]  # images (n, 28, 28) or labels (n,)
    Predict = Callable[[Bytes], NDArray[Any]]  # images to labels

SETTINGS = Path(__file__).parents[1] / "conf" / "base" / "parameters_model_training.yml"
CANDIDATES = yaml.safe_load(SETTINGS.read_text(encoding="utf-8"))["candidates"]
SEED = 0
TRAIN_SIZE, VALIDATION_SIZE = 8_000, 2_000
PREDICTION_BATCH = 256


def read_gzip(path: Path) -> Bytes:
    """Return the array that a compressed IDX file holds."""
    with gzip.open(path) as file:
        data = file.read()
    dimensions = data[3]
    shape = np.frombuffer(data, dtype=">u4", count=dimensions, offset=4)
    return np.frombuffer(data, dtype=np.uint8, offset=4 + 4 * dimensions).reshape(shape).copy()


def mlp(hidden_units: list[int], inputs: int = 28 * 28) -> nn.Sequential:
    """Build a multi-layer perceptron."""
    layers: list[nn.Module] = [nn.Flatten()]
    for width in hidden_units:
        layers += [nn.Linear(inputs, width), nn.ReLU()]
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, 10))


def cnn(
    channels: list[int], kernel_size: int, *, batch_norm: bool, hidden_units: list[int]
) -> nn.Sequential:
    """Build a convolutional network."""
    layers: list[nn.Module] = [nn.Unflatten(1, (1, 28))]
    inputs, side = 1, 28
    for outputs in channels:
        layers += [nn.Conv2d(inputs, outputs, kernel_size, padding="same"), nn.MaxPool2d(2)]
        layers += [nn.BatchNorm2d(outputs)] if batch_norm else []
        layers += [nn.ReLU()]
        inputs, side = outputs, side // 2
    return nn.Sequential(*layers, *mlp(hidden_units, inputs * side**2))


def distort(
    images: torch.Tensor, rotation: float, shift: float, scale: float, shear: float
) -> torch.Tensor:
    """Turn, shear, scale and shift each image at random."""
    angle, lean, size, right, down = 2 * torch.rand(5, len(images)) - 1
    angle, lean = math.radians(rotation) * angle, torch.tan(math.radians(shear) * lean)
    cos, sin = torch.cos(angle) / (1 + scale * size), torch.sin(angle) / (1 + scale * size)
    right, down = 2 * shift / 28 * right, 2 * shift / 28 * down
    rows = [cos, lean * cos - sin, right, sin, lean * sin + cos, down]
    matrices = torch.stack(rows, dim=1).view(-1, 2, 3)
    grid = nn.functional.affine_grid(matrices, [len(images), 1, 28, 28], align_corners=False)
    return nn.functional.grid_sample(images[:, None], grid, align_corners=False)[:, 0]


def build_network(network: str, network_options: dict[str, Any]) -> nn.Module:
    """Build a network with random weights."""
    return {"mlp": mlp, "cnn": cnn}[network](**network_options)


def fit_network(  # noqa: PLR0913 (hyperparameters, each by its name)
    images: Bytes,
    labels: Bytes,
    *,
    network: str,
    network_options: dict[str, Any],
    epochs: int,
    batch_size: int = 128,
    learning_rate: float = 0.01,
    weight_decay: float = 0.01,
    label_smoothing: float = 0.0,
    augmentation: dict[str, float] | None = None,
    n_jobs: int | None = None,
) -> Predict:
    """Train a network: the bare loop, with the data in memory and nothing measured on the way."""
    threads = torch.get_num_threads()
    torch.set_num_threads(n_jobs or threads)
    model = build_network(network, network_options).to(memory_format=torch.channels_last)
    items, targets = torch.from_numpy(images), torch.from_numpy(labels.astype(np.int64))
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=weight_decay, fused=True)
    steps = epochs * math.ceil(len(items) / batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, steps)
    model.train()
    for _ in range(epochs):
        for batch in torch.randperm(len(items)).split(batch_size):
            inputs = items[batch].float() / 255
            inputs = distort(inputs, **augmentation) if augmentation else inputs
            loss = nn.functional.cross_entropy(
                model(inputs), targets[batch], label_smoothing=label_smoothing
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    torch.set_num_threads(threads)
    return partial(predict_with_network, model)


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
    kind: type[LogisticRegression | RandomForestClassifier],
    images: Bytes,
    labels: Bytes,
    **hyperparameters: Any,  # noqa: ANN401
) -> Predict:
    """Fit an estimator of scikit-learn."""
    estimator = kind(**hyperparameters, random_state=SEED)
    estimator.fit(flatten_and_scale(images), labels)
    return lambda images: estimator.predict(flatten_and_scale(images))


FITS = {
    "LogisticRegression": partial(fit_estimator, LogisticRegression),
    "RandomForestClassifier": partial(fit_estimator, RandomForestClassifier),
    "TorchClassifier": fit_network,
}


def fit_candidate(name: str, images: Bytes, labels: Bytes) -> Predict:
    """Fit the candidate of this name anew."""
    torch.manual_seed(SEED)
    kind = CANDIDATES[name]["estimator"].rpartition(".")[2]
    return FITS[kind](images, labels, **CANDIDATES[name]["hyperparameters"])


def main(folder: Path) -> None:
    """Do the work; print the champion and the accuracies as JSON."""
    images, labels, test_images, test_labels = (
        read_gzip(folder / f"{split}-{kind}-ubyte.gz")
        for split in ("train", "t10k")
        for kind in ("images-idx3", "labels-idx1")
    )
    images, test_images = map(Deskew().transform, (images, test_images))
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
