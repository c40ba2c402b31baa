"""Training as it goes on: a row per epoch, and a bar where standard error is a terminal."""

from __future__ import annotations

import multiprocessing
import time
from typing import TYPE_CHECKING

from tqdm.auto import tqdm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    AfterEpoch = Callable[[dict[str, float]], None]


def watch_epochs(
    epochs: Iterator[tuple[float, float]],
    total: int,
    title: str,
    validate: Callable[[], float] | None,
) -> Iterator[dict[str, float]]:
    """Time the epochs of a training.

    Args:
        epochs: As `train_epochs` yields them: mean loss and accuracy.
        total: How many there will be.
        title: Of the bar.
        validate: Returns the validation accuracy as it is now.

    Yields:
        `epoch` from 1, `seconds` of training so far (without those of `validate` and of whoever
        takes the rows), `loss`, `train_accuracy` and, with `validate`,
        `validation_accuracy`.
    """
    start = time.perf_counter()
    watched = 0.0  # seconds that went into looking at the epochs, not into training
    # `None` shows the bar only where standard error is a terminal; several processes would draw
    # theirs over each other.
    hidden = True if multiprocessing.parent_process() else None
    bar = tqdm(epochs, desc=title, total=total, leave=False, disable=hidden)
    for epoch, (loss, accuracy) in enumerate(bar, start=1):
        trained = time.perf_counter()
        row = {"epoch": epoch, "seconds": trained - start - watched}
        row |= {"loss": loss, "train_accuracy": accuracy}
        if validate:
            row["validation_accuracy"] = validate()
        bar.set_postfix(loss=f"{loss:.3f}", train_accuracy=f"{accuracy:.2%}")
        yield row
        watched += time.perf_counter() - trained
