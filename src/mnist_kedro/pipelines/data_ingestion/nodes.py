"""Fetch the images, verify them, look at them."""

from __future__ import annotations

import hashlib
import logging
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

from pydantic import model_validator

from mnist_kedro.data.dataset_spec import FILES, DatasetSpec
from mnist_kedro.data.mirrors import DownloadError, download
from mnist_kedro.data.picture_folders import load_pictures, read_pictures
from mnist_kedro.data.sources import Arrays, bring_to_order, embedded_digits, load_folder
from mnist_kedro.evaluation.figures import plot_sample_grid
from mnist_kedro.formats.idx import idx_sha256, parts
from mnist_kedro.lazy import Figure, NDArray, np
from mnist_kedro.parameters import Name, UserError, unknown_name

EMBEDDED_NAME = "embedded digits (not MNIST)"
DIGITS = tuple("0123456789")
SOURCES = ("auto", "mnist", "embedded")  # all else is a folder
SAMPLES_PER_CLASS = 16
FALLBACK_WARNING = f"""
{"!" * 90}
  THIS IS NOT %s. It could not be downloaded, so this run uses scikit-learn's
  1,797 embedded digits instead. Its results say nothing about %s.
  Why: %s.
{"!" * 90}"""

logger = logging.getLogger(__name__)


class DataIngestionParameters(DatasetSpec):
    """Which data, from where."""

    source: Name
    fallback: Literal["embedded"] | None
    extra_train_folder: Path | None
    cache: Path

    @model_validator(mode="after")
    def _has_a_source_for_its_classes(self) -> Self:
        is_known = self.source in SOURCES or Path(self.source).expanduser().exists()
        if not is_known and get_close_matches(self.source, SOURCES):
            raise ValueError(unknown_name("source", self.source, SOURCES))
        if self.source in ("mnist", "embedded") and not self.fallback:
            raise ValueError(
                f"expected 'source' to be auto or a folder, found '{self.source}': {self.name} is "
                f"something else"
            )
        if self.fallback and self.class_names != DIGITS:
            raise ValueError(
                f"expected 'fallback: null' for {self.name}, whose classes are not the ten digits, "
                f"found '{self.fallback}'"
            )
        return self


class Source(NamedTuple):
    """The arrays of a source, their name and origin, and the classes in the order of the labels."""

    arrays: Arrays
    name: str
    origin: str
    class_names: tuple[str, ...]


def ingest_images(
    parameters: DataIngestionParameters,
) -> tuple[
    NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8], dict[str, Any]
]:
    """Read, or download, the images of the source and verify them.

    Returns:
        The four of `Arrays`, and the profile of `profile_images` with the source's `name`.

    Raises:
        DownloadError: No mirror gave the files, and there is no fallback.
        IdxFormatError: A file is damaged, or the files do not belong together.
        UserError: A folder or a file in it is missing, or a folder of pictures cannot be used.
    """
    extra = parameters.extra_train_folder and parameters.extra_train_folder.expanduser().resolve()
    if extra and not extra.is_dir():  # before anything is downloaded
        raise UserError(
            f"expected 'extra_train_folder' to be a folder of pictures, found none at {extra}"
        )
    source = _read_source(parameters)
    if extra:
        source = _add_pictures(source, extra)
    about = {"name": source.name, "source": source.origin, "class_names": list(source.class_names)}
    return *source.arrays, about | profile_images(source.arrays)


def profile_images(arrays: Arrays) -> dict[str, Any]:
    """Describe the data: dimensions, type, images per class, ink, checksums.

    Ink is a pixel's value divided by 255; the ink share of images is their share of pixels above 0.
    `sha256` has the checksum of each raw IDX file; `data_sha256`, the checksum of these four in the
    order of `FILES`, identifies the data as a whole.
    """
    profile: dict[str, Any] = {}
    for split, images, labels in (("train", *arrays[:2]), ("test", *arrays[2:])):
        classes, images_of_each = np.unique(labels, return_counts=True)
        # Counted in parts: exact, and without a copy of all images as floating point.
        counts = [np.bincount(images[rows].ravel(), minlength=256) for rows in parts(images)]
        pixels, values = np.sum(counts, axis=0), np.arange(256) / 255
        mean = float(np.average(values, weights=pixels))
        profile[split] = {
            "dimensions": list(images.shape),
            "dtype": str(images.dtype),
            "images_per_class": dict(zip(map(str, classes), images_of_each.tolist(), strict=True)),
            "ink_mean": mean,
            "ink_std": float(np.sqrt(np.average((values - mean) ** 2, weights=pixels))),
            "ink_share": float(pixels[1:].sum() / pixels.sum()),
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
    class_names = dataset_profile["class_names"]
    return plot_sample_grid(train_images, train_labels, class_names, SAMPLES_PER_CLASS, title)


def _read_source(parameters: DataIngestionParameters) -> Source:
    name, source, class_names = parameters.name, parameters.source, parameters.class_names
    if source not in SOURCES:
        return _read_folder(Path(source).expanduser().resolve(), parameters)
    if source != "embedded":
        try:
            arrays = Arrays(**download(parameters, parameters.cache))
        except DownloadError as error:
            if source == "mnist" or not parameters.fallback:
                raise
            logger.warning(FALLBACK_WARNING, name, name, error)
        else:
            ordered = bring_to_order(arrays, parameters.cache, parameters)
            return Source(ordered, name, "mirror", class_names)
    return Source(embedded_digits(), EMBEDDED_NAME, "embedded", class_names)


def _read_folder(folder: Path, parameters: DataIngestionParameters) -> Source:
    """Read a folder of pictures, whose folders name the classes, or one of the four files."""
    class_names, official = parameters.class_names, False
    if (folder / "train").is_dir():
        arrays, class_names = load_pictures(folder)
    else:
        arrays, official = load_folder(folder, parameters)
    name = parameters.name if official else f"{folder.name} (not {parameters.name})"
    return Source(arrays, name, str(folder), class_names)


def _add_pictures(source: Source, folder: Path) -> Source:
    """Put pictures before the training images: splits that were made without them do not fit."""
    images, labels = read_pictures(folder / "train", source.class_names)
    logger.info("Training also with the %d pictures of %s.", len(labels), folder)
    together = source.arrays._replace(
        train_images=np.concatenate([images, source.arrays.train_images]),
        train_labels=np.concatenate([labels, source.arrays.train_labels]),
    )
    name, origin = f"{source.name} with {folder.name}", f"{source.origin} and {folder}"
    return Source(together, name, origin, source.class_names)
