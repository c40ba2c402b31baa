"""How a network is trained: AdamW on a one-cycle schedule, over an array in memory or in a file.

There is no `DataLoader`: an array needs none.
Loshchilov and Hutter, 2019, "Decoupled weight decay regularization"; Smith, 2018, "A disciplined
approach to neural network hyper-parameters".
"""

from __future__ import annotations

import math
import multiprocessing
import time
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import torch
from pydantic import Field, PositiveFloat, PositiveInt, field_validator, model_validator
from sklearn.utils import check_random_state
from torch.nn.functional import cross_entropy
from tqdm.auto import tqdm

from mnist_kedro.classifiers.augmentation import Augmentation, augment
from mnist_kedro.classifiers.networks import check_options
from mnist_kedro.parameters import Parameters, UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

INK = 255  # the highest value of `uint8`
# Converting a few batches in one go saves an eighth of a small network's time. With more of them,
# what is augmented no longer fits into the cache, which costs a third of it.
BATCHES_CONVERTED = 8
PREDICTION_BATCH = 256  # items at once: fits into the cache, and bounds memory


class DivergenceError(UserError):
    """The loss is no longer a number: the learning rate is too high."""


class Recipe(Parameters):
    """The hyperparameters of `TorchClassifier`, which explains them, with their ranges."""

    network: str
    network_options: dict[str, Any] | None
    epochs: PositiveInt
    batch_size: PositiveInt
    learning_rate: PositiveFloat = Field(allow_inf_nan=False)
    weight_decay: float = Field(ge=0, allow_inf_nan=False)
    label_smoothing: float = Field(ge=0, lt=1)
    augmentation: Augmentation | None
    precision: Literal["float32", "bfloat16"]
    n_jobs: PositiveInt | None
    device: str
    random_state: Any

    @field_validator("augmentation", mode="before")
    @classmethod
    def _read_augmentation(cls, given: Any) -> Any:  # noqa: ANN401
        return given and Augmentation.model_validate(given)  # whose errors know its fields

    @model_validator(mode="after")
    def _can_be_trained(self) -> Self:
        check_options(self.network, self.network_options or {})
        find_device(self.device)
        check_random_state(self.random_state)
        return self


def train(
    network: torch.nn.Module,
    items: NDArray[Any],
    targets: torch.Tensor,
    recipe: Recipe,
    validate: Callable[[], float] | None = None,
) -> Iterator[dict[str, float]]:
    """Train a network in place, one epoch per step of the iterator.

    A bar shows the progress where standard error is a terminal.

    Args:
        network: Takes `float32 (n, ...)`, returns logits `(n, n_classes)`.
        items: `(n, ...)`, `uint8` or `float32`. Of a memory map only the rows of a few batches are
            in memory at once.
        targets: `int64 (n,)`, the classes' numbers, on the network's device.
        recipe: How to train.
        validate: Returns the validation accuracy of the network as it is now.

    Yields:
        `epoch` from 1, `seconds` and `cpu_seconds` of training so far (without those of `validate`
        and of whoever takes the rows), `train_loss` (mean cross-entropy) and `train_accuracy`, both
        measured while training, and, with `validate`, `validation_accuracy`.

    Raises:
        DivergenceError: The loss is no longer a number.
    """
    # Made before the clock starts: the first one of a process imports PyTorch's compiler.
    optimizer = torch.optim.AdamW(
        network.parameters(), weight_decay=recipe.weight_decay, fused=True
    )
    steps = recipe.epochs * math.ceil(len(items) / recipe.batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.learning_rate, total_steps=steps
    )
    seconds = cpu_seconds = 0.0
    # `None` shows the bar on a terminal only. Bars of several processes overwrite each other.
    hidden = True if multiprocessing.parent_process() else None
    bar = tqdm(range(1, recipe.epochs + 1), desc=recipe.network, leave=False, disable=hidden)
    for epoch in bar:
        start, cpu_start = time.perf_counter(), time.process_time()
        loss, accuracy = _train_epoch(network, items, targets, recipe, optimizer, schedule)
        seconds += time.perf_counter() - start
        cpu_seconds += time.process_time() - cpu_start
        if not math.isfinite(loss):
            raise DivergenceError(
                f"expected a finite loss, found {loss} in epoch {epoch}: lower 'learning_rate', "
                f"which is {recipe.learning_rate}"
            )
        row = {"epoch": epoch, "seconds": seconds, "cpu_seconds": cpu_seconds}
        row |= {"train_loss": loss, "train_accuracy": accuracy}
        if validate:
            row["validation_accuracy"] = validate()
        bar.set_postfix(loss=f"{loss:.3f}", train_accuracy=f"{accuracy:.2%}")
        yield row


def _train_epoch(
    network: torch.nn.Module,
    items: NDArray[Any],
    targets: torch.Tensor,
    recipe: Recipe,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
) -> tuple[float, float]:
    """Return the mean loss and the accuracy of one pass over the items, in random order."""
    network.train()
    device = targets.device
    halved = recipe.precision == "bfloat16" and device.type == "cuda"
    loss_sum, correct = torch.zeros(2, device=device)
    for chosen in torch.randperm(len(items)).split(recipe.batch_size * BATCHES_CONVERTED):
        expected = targets[chosen.to(device)]
        inputs = to_float(torch.from_numpy(items[chosen.numpy()]).to(device))
        if recipe.augmentation:
            inputs = augment(inputs, recipe.augmentation)
        answers = []
        for batch, labels in zip(
            inputs.split(recipe.batch_size), expected.split(recipe.batch_size), strict=True
        ):
            with torch.autocast(device.type, torch.bfloat16, enabled=halved):
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
def network_probabilities(
    network: torch.nn.Module, items: NDArray[Any], n_classes: int
) -> NDArray[np.float64]:
    """Return the probabilities of all items, `(n, n_classes)`; read in parts, as in `train`."""
    network.eval()
    device = next(network.parameters()).device
    probabilities = np.empty((len(items), n_classes))
    # Otherwise a GPU's convolutions keep 10 of 23 bits: other predictions than those of CPUs.
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        for first in range(0, len(items), PREDICTION_BATCH):
            rows = slice(first, first + PREDICTION_BATCH)
            logits = network(to_float(torch.tensor(items[rows]).to(device)))
            probabilities[rows] = logits.cpu().double().softmax(dim=1).numpy()
    return probabilities


def find_device(name: str) -> torch.device:
    """Return the device of this name; `auto` is CUDA where there is one, else the CPU.

    Raises:
        UserError: There is no such device.
    """
    found = torch.cuda.device_count() > 0  # `is_available` would deny CUDA to forked workers
    if name == "auto":
        name = "cuda" if found else "cpu"
    if name.partition(":")[0] not in ("cpu", "cuda"):
        raise UserError(f"expected 'device' to be auto, cpu or cuda, found {name!r}")
    if name != "cpu" and not found:
        raise UserError(f"expected a CUDA device for 'device: {name}', found none: use auto")
    return torch.device(name)


def to_float(items: torch.Tensor) -> torch.Tensor:
    """Bring a batch to `float32`: `uint8` is scaled to 0-1, `float32` stays as it is."""
    return items if items.is_floating_point() else items.float().div_(INK)
