"""The training loop: AdamW on a one-cycle schedule, over items in memory or in a mapped file.

There is no `DataLoader`: neither needs one.
Loshchilov and Hutter, 2019, "Decoupled weight decay regularization"; Smith, 2018, "A disciplined
approach to neural network hyper-parameters".
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn.functional import cross_entropy

from mnist_kedro.classifiers.augmentation import Augmentation, augment

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from mnist_kedro.classifiers.items import Items

AMPERE = (8, 0)  # the first CUDA devices that compute in `bfloat16`
INK = 255  # the highest value of `uint8`
# Converting a few batches in one go saves an eighth of a small network's time (and costs 12 MB).
BATCHES_CONVERTED = 32
PREDICTION_BATCH = 256  # items at once: fits into the cache, and bounds memory


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Args:
        epochs: Passes over the items.
        batch_size: Items per step.
        learning_rate: Highest one of the cycle.
        weight_decay: Of AdamW.
        label_smoothing: Share of each label that is spread over all classes.
        augmentation: Of images, each time they are seen; `None` leaves them as they are.
        precision: `float32`, `bfloat16` (the weights stay `float32`), or `auto`: `bfloat16` where
            the device has instructions for it.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    label_smoothing: float
    augmentation: Augmentation | None
    precision: str


def train_epochs(
    network: torch.nn.Module, items: Items, targets: torch.Tensor, recipe: Recipe
) -> Iterator[tuple[float, float]]:
    """Train a network in place, one epoch per step of the iterator.

    The optimizer is there before the first step: the first one of a process makes PyTorch import
    its compiler, which takes seconds, and whoever times the epochs would count them.

    Args:
        network: Takes `float32 (n, ...)`, returns logits `(n, n_classes)`.
        items: `(n, ...)`, `uint8` or `float32`, for the network's device.
        targets: `int64 (n,)`, the classes' numbers, on that device.
        recipe: How.

    Returns:
        Iterator of each epoch's mean cross-entropy and its accuracy, both measured while training.
        It raises a `FloatingPointError` when the loss is no longer a number.
    """
    optimizer = torch.optim.AdamW(
        network.parameters(), weight_decay=recipe.weight_decay, fused=True
    )
    steps = recipe.epochs * math.ceil(len(items) / recipe.batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.learning_rate, total_steps=steps
    )
    return _train_all(network, items, targets, recipe, optimizer, schedule)


def _train_all(
    network: torch.nn.Module,
    items: Items,
    targets: torch.Tensor,
    recipe: Recipe,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
) -> Iterator[tuple[float, float]]:
    for epoch in range(1, recipe.epochs + 1):
        loss, accuracy = _train_epoch(network, items, targets, recipe, optimizer, schedule)
        if not math.isfinite(loss):
            raise FloatingPointError(
                f"expected a finite loss, found {loss} in epoch {epoch}: lower 'learning_rate', "
                f"which is {recipe.learning_rate}"
            )
        yield loss, accuracy


def _train_epoch(
    network: torch.nn.Module,
    items: Items,
    targets: torch.Tensor,
    recipe: Recipe,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
) -> tuple[float, float]:
    network.train()
    halved = uses_bfloat16(recipe.precision, items.device)
    loss_sum = torch.zeros((), device=items.device)
    correct = torch.zeros((), device=items.device)
    for chosen in items.shuffle(recipe.batch_size * BATCHES_CONVERTED):
        expected = targets[chosen.to(items.device)]
        batches = _prepare(items.take(chosen), recipe).split(recipe.batch_size)
        answers = []
        for batch, labels in zip(batches, expected.split(recipe.batch_size), strict=True):
            with torch.autocast(items.device.type, torch.bfloat16, enabled=halved):
                logits = network(batch)
            logits = logits.float()
            optimizer.zero_grad()
            cross_entropy(logits, labels, label_smoothing=recipe.label_smoothing).backward()
            optimizer.step()
            schedule.step()
            answers.append(logits.detach())
        # Scored a few batches at once: many small sums would cost a twentieth of the time.
        logits = torch.cat(answers)
        loss_sum += cross_entropy(logits, expected, reduction="sum")
        correct += (logits.argmax(dim=1) == expected).sum()
    return loss_sum.item() / len(items), correct.item() / len(items)


@torch.inference_mode()
def predict_probabilities(
    network: torch.nn.Module, items: Items, n_classes: int
) -> NDArray[np.float64]:
    """Return the probabilities of all items, `(n, n_classes)`.

    They go into one array at once: small ones, kept between large ones, would make memory grow.
    """
    network.eval()
    device = next(network.parameters()).device
    probabilities = torch.empty(len(items), n_classes, dtype=torch.float64)
    rows = torch.arange(len(items)).split(PREDICTION_BATCH)
    for chosen, answer in zip(rows, probabilities.split(PREDICTION_BATCH), strict=True):
        logits = network(to_float(items.take(chosen).to(device)))
        answer.copy_(logits.cpu().double().softmax(dim=1))
    found: NDArray[np.float64] = probabilities.numpy()
    return found


def _prepare(items: torch.Tensor, recipe: Recipe) -> torch.Tensor:
    inputs = to_float(items)
    return augment(inputs, recipe.augmentation) if recipe.augmentation else inputs


def find_device(name: str) -> torch.device:
    """Return the device of this name; `auto` is CUDA where there is one, else the CPU.

    Raises:
        ValueError: There is no such device.
    """
    found = torch.cuda.is_available()
    if name == "auto":
        name = "cuda" if found else "cpu"
    if name.partition(":")[0] not in ("cpu", "cuda"):
        raise ValueError(f"expected 'device' to be auto, cpu or cuda, found {name!r}")
    if name != "cpu" and not found:
        raise ValueError(f"expected a CUDA device for 'device: {name}', found none: use auto")
    return torch.device(name)


def uses_bfloat16(precision: str, device: torch.device) -> bool:
    """Return whether to compute with half as many bits.

    Raises:
        ValueError: There is no such precision.
    """
    if precision not in ("auto", "float32", "bfloat16"):
        raise ValueError(
            f"expected 'precision' to be auto, float32 or bfloat16, found {precision!r}"
        )
    if precision != "auto":
        return precision == "bfloat16"
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= AMPERE
    able = torch.cpu.get_capabilities()
    return any(able.get(name) for name in ("amx_bf16", "avx512_bf16"))


def to_float(items: torch.Tensor) -> torch.Tensor:
    """Bring a batch to `float32`: `uint8` scaled to 0-1, `float32` as it is."""
    return items if items.is_floating_point() else items.float().div_(INK)
