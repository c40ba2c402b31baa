"""Fetch the images, verify them, look at them."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from mnist_kedro.idx import idx_sha256
from mnist_kedro.lazy import Figure
from mnist_kedro.mirrors import DownloadError, download
from mnist_kedro.parameters import Name, Parameters
from mnist_kedro.plots import plot_sample_grid
from mnist_kedro.sources import FILES, Arrays, embedded_digits, load_folder

EMBEDDED_NAME = "embedded digits (not MNIST)"
SAMPLES_PER_CLASS = 16

logger = logging.getLogger(__name__)


Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Address = Annotated[str, Field(pattern="^https?://.+/$")]


class Checksums(Parameters):
    """The sha256 of each decompressed file."""

    train_images: Sha256
    train_labels: Sha256
    test_images: Sha256
    test_labels: Sha256


class DataIngestionParameters(Parameters):
    """Which data, from where."""

    name: Name
    source: Name
    cache: Path
    mirrors: tuple[Address, ...]
    sha256: Checksums


def ingest_images(
    parameters: DataIngestionParameters,
) -> tuple[
    NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8], dict[str, Any]
]:
    """Bring the images of the source here, verified.

    Returns:
        Train images `uint8 (n, 28, 28)`, train labels `uint8 (n,)`, test images, test labels, and
        the profile of `profile_images`.

    Raises:
        DownloadError: The source is `mnist` and no mirror gave it.
        FileNotFoundError: The source is a folder, and it or a file in it is missing.
        IdxFormatError: A file is damaged, or the files do not belong together.
    """
    arrays, origin = _read_source(parameters)
    profile = profile_images(arrays)
    if origin == "embedded":
        name = EMBEDDED_NAME
    elif profile["sha256"] == parameters.sha256.model_dump():
        name = parameters.name
    else:
        name = f"{Path(origin).name} (not {parameters.name})"
    return *arrays, {"name": name, "source": origin, **profile}


def profile_images(arrays: Arrays) -> dict[str, Any]:
    """Describe the data: dimensions, type, images per class, ink, checksums.

    Ink is a pixel's value divided by 255; an image's ink share is its share of pixels above 0.
    `sha256` has that of each raw IDX file, `data_sha256` that of these four sums,
    in the order of `FILES`: one name for the data as a whole.
    """
    profile: dict[str, Any] = {}
    for split, images, labels in (("train", *arrays[:2]), ("test", *arrays[2:])):
        classes = np.unique(labels)
        # A histogram per class: exact, and without a copy of all images as floating point.
        histograms = np.stack(
            [np.bincount(images[labels == name].ravel(), minlength=256) for name in classes]
        )
        total, values = histograms.sum(axis=0), np.arange(256) / 255
        mean = float(np.average(values, weights=total))
        profile[split] = {
            "dimensions": list(images.shape),
            "dtype": str(images.dtype),
            "images_per_class": _per_class(classes, histograms.sum(axis=1) // images[0].size),
            "ink_mean": mean,
            "ink_std": float(np.sqrt(np.average((values - mean) ** 2, weights=total))),
            "ink_share": float(total[1:].sum() / total.sum()),
            "ink_mean_per_class": _per_class(classes, histograms @ values / histograms.sum(axis=1)),
        }
    profile["sha256"] = {key: idx_sha256(array) for key, array in arrays._asdict().items()}
    together = "".join(profile["sha256"][key] for key in FILES)
    profile["data_sha256"] = hashlib.sha256(together.encode()).hexdigest()
    return profile


def draw_sample_grid(
    train_images: NDArray[np.uint8],
    train_labels: NDArray[np.uint8],
    dataset_profile: dict[str, Any],
) -> Figure:
    """Draw the first training images of each class: `uint8 (n, 28, 28)` and `uint8 (n,)`."""
    title = f"{dataset_profile['name']}: the first {SAMPLES_PER_CLASS} images per class"
    return plot_sample_grid(train_images, train_labels, SAMPLES_PER_CLASS, title)


def _read_source(parameters: DataIngestionParameters) -> tuple[Arrays, str]:
    """Return the arrays and where they came from."""
    source = parameters.source
    if source == "embedded":
        return embedded_digits(), "embedded"
    if source not in ("auto", "mnist"):
        folder = Path(source).expanduser().resolve()
        return load_folder(folder), str(folder)
    try:
        return download(
            parameters.mirrors, parameters.sha256.model_dump(), parameters.cache
        ), "mirror"
    except DownloadError as error:
        if source == "mnist":
            raise
        _warn_of_fallback(parameters.name, error)
        return embedded_digits(), "embedded"


def _warn_of_fallback(name: str, error: DownloadError) -> None:
    line = "!" * 90
    logger.warning(
        "\n%s\n  THIS IS NOT %s. It could not be downloaded, so this run uses scikit-learn's\n"
        "  1,797 embedded digits instead. Its results say nothing about %s.\n  Why: %s.\n%s",
        *(line, name, name, error, line),
    )


def _per_class(classes: NDArray[np.uint8], values: NDArray[Any]) -> dict[str, Any]:
    return {str(name): value.item() for name, value in zip(classes, values, strict=True)}
