"""Where images come from: mirrors on the web, a folder, or the digits that scikit-learn carries.

Every source ends in the same four verified arrays.
"""

from __future__ import annotations

import hashlib
import logging
import sys
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mnist_kedro.idx import IdxFormatError, idx_sha256, read_idx

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

SIDE = 28  # pixels, of an image
BOX = 20  # pixels, of the box that a digit fills
CLASSES = 10
FILES = {
    "train_images": "train-images-idx3-ubyte",
    "train_labels": "train-labels-idx1-ubyte",
    "test_images": "t10k-images-idx3-ubyte",
    "test_labels": "t10k-labels-idx1-ubyte",
}
MIRROR_SECONDS = 8.0  # within which a mirror answers, or counts as out of reach
READ_SECONDS = 20.0  # without a byte, after which a download is given up

logger = logging.getLogger(__name__)


class DownloadError(ConnectionError):
    """No mirror gave the files."""


class Arrays(NamedTuple):
    """Images `uint8 (n, 28, 28)`, 0 = paper, 255 = ink; labels `uint8 (n,)`, 0-9."""

    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.uint8]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.uint8]


def load_folder(folder: Path) -> Arrays:
    """Read the four IDX files of a folder, with or without `.gz`, named `-idx3-` or `.idx3-ubyte`.

    Raises:
        FileNotFoundError: The folder or a file in it is missing.
        IdxFormatError: A file is damaged, or the files do not belong together.
    """
    if not folder.is_dir():
        raise FileNotFoundError(
            f"expected 'source' to be auto, mnist, embedded or a folder with the four IDX files, "
            f"found {str(folder)!r}, which is no folder"
        )
    paths = {key: _find_file(folder, name) for key, name in FILES.items()}
    arrays = Arrays(**{key: _read(key, path) for key, path in paths.items()})
    validate_arrays(arrays, {key: str(path) for key, path in paths.items()})
    return arrays


def download(mirrors: Sequence[str], sha256: Mapping[str, str], cache: Path) -> Arrays:
    """Return the files of `cache`; fetch those that are missing or damaged there from a mirror.

    One process at a time fetches; the others wait for its files.

    Args:
        mirrors: Addresses that end in `/`, in the order in which they are tried.
        sha256: For each name in `FILES`, of the decompressed bytes (mirrors compress anew).
        cache: Folder that keeps the files. Nothing unverified is ever in it under its final name.

    Raises:
        DownloadError: No mirror could be reached, or none had the right bytes.
    """
    from filelock import FileLock

    cache.mkdir(parents=True, exist_ok=True)
    with FileLock(cache / ".lock"):
        missing = [key for key in FILES if not _is_intact(key, cache, sha256)]
        if missing:
            reachable = _answering(mirrors)
            for key in missing:
                _fetch(key, reachable, sha256[key], cache)
    return load_folder(cache)


def embedded_digits() -> Arrays:
    """Return scikit-learn's 1,797 real 8x8 digits in MNIST's format.

    As MNIST's authors made theirs: the digit scaled with anti-aliasing so that its longer side
    fills 20 pixels, its centre of mass in the middle of 28x28. The first four fifths, in the order
    of the original, are for training; the digits were collected writer by writer, so that the test
    holds other people's writing.
    Source: E. Alpaydin and C. Kaynak, https://doi.org/10.24432/C50P49.
    """
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = np.stack([_to_mnist_format(digit) for digit in digits.images])
    labels = digits.target.astype(np.uint8)
    n_train = len(labels) * 4 // 5
    arrays = Arrays(images[:n_train], labels[:n_train], images[n_train:], labels[n_train:])
    validate_arrays(arrays, {key: f"embedded {key}" for key in FILES})
    return arrays


def validate_arrays(arrays: Arrays, names: Mapping[str, str]) -> None:
    """Check what a single file cannot tell; `names` says how to call each file in an error.

    Raises:
        IdxFormatError: Counts that differ, labels outside 0-9, a class without an image, or
            images that are constant or do not use the range from 0 (paper) to 255 (ink).
    """
    for split in ("train", "test"):
        images: NDArray[np.uint8] = getattr(arrays, f"{split}_images")
        labels: NDArray[np.uint8] = getattr(arrays, f"{split}_labels")
        images_file, labels_file = names[f"{split}_images"], names[f"{split}_labels"]
        if len(images) != len(labels):
            raise IdxFormatError(
                f"{labels_file}: expected a label for each of the {len(images):,} images in "
                f"{images_file}, found {len(labels):,} labels"
            )
        if labels.max() >= CLASSES:
            raise IdxFormatError(
                f"{labels_file}: expected labels from 0 to {CLASSES - 1}, found {labels.max()}"
            )
        lowest, highest = images.min(), images.max()
        if lowest > np.iinfo(np.uint8).max // 2 or highest <= np.iinfo(np.uint8).max // 2:
            raise IdxFormatError(
                f"{images_file}: expected pixels from 0 (paper) to 255 (ink), found only values "
                f"from {lowest} to {highest}"
            )


def data_sha256(images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> str:
    """Return the fingerprint of a data set: that of its images' and of its labels' IDX files.

    In a shell: `printf "%s%s" $(sha256sum < images | cut -c-64) $(sha256sum < labels | cut -c-64)
    | sha256sum`.
    """
    both = idx_sha256(images) + idx_sha256(labels)
    return hashlib.sha256(both.encode()).hexdigest()


def _find_file(folder: Path, name: str) -> Path:
    stems = (name, name.replace("-idx", ".idx"))
    for candidate in (folder / f"{stem}{suffix}" for stem in stems for suffix in ("", ".gz")):
        if candidate.is_file():
            return candidate
    raise FileNotFoundError(f"{folder}: expected the file {name} or {name}.gz, found neither")


def _read(key: str, path: Path) -> NDArray[np.uint8]:
    return read_idx(path, (SIDE, SIDE) if key.endswith("images") else ())


def _is_intact(key: str, cache: Path, sha256: Mapping[str, str]) -> bool:
    path = cache / f"{FILES[key]}.gz"
    try:
        if idx_sha256(_read(key, path)) == sha256[key]:
            return True
        logger.warning("%s is not what was downloaded once: fetching it again.", path)
    except FileNotFoundError:
        return False
    except IdxFormatError as error:
        logger.warning("Fetching it again: %s", error)
    path.unlink()
    return False


def _answering(mirrors: Sequence[str]) -> list[str]:
    """Return the mirrors that answer; asked at once, so being offline costs one time-out."""
    import requests

    pool = ThreadPoolExecutor(max_workers=len(mirrors))
    asked = {
        mirror: pool.submit(
            requests.head,
            f"{mirror}{FILES['test_labels']}.gz",
            timeout=MIRROR_SECONDS,
            allow_redirects=True,
        )
        for mirror in mirrors
    }
    done, _ = wait(asked.values(), timeout=MIRROR_SECONDS)
    pool.shutdown(wait=False, cancel_futures=True)
    answers = {m: f.result() for m, f in asked.items() if f in done and not f.exception()}
    reachable = [mirror for mirror, answer in answers.items() if answer.ok]
    if not reachable:
        raise DownloadError(
            f"none of the {len(mirrors)} mirrors answered ({', '.join(mirrors)}): check the "
            f"network, or put the four files into a folder and name it as 'source'"
        )
    return reachable


def _fetch(key: str, mirrors: Sequence[str], sha256: str, cache: Path) -> None:
    """Fetch one file from the first mirror that has it, by a temporary file beside its place."""
    import pooch
    import requests

    pooch.get_logger().setLevel("WARNING")
    name = f"{FILES[key]}.gz"
    http = pooch.HTTPDownloader(
        timeout=(MIRROR_SECONDS, READ_SECONDS), progressbar=sys.stderr.isatty()
    )

    def verified(url: str, output_file: str, retriever: pooch.Pooch | None) -> None:
        http(url, output_file, retriever)
        found = idx_sha256(_read(key, Path(output_file)))
        if found != sha256:
            raise IdxFormatError(f"{url}: expected the sha256 {sha256}, found {found}")

    problems = []
    for mirror in mirrors:
        logger.info("Downloading %s%s", mirror, name)
        try:
            pooch.retrieve(f"{mirror}{name}", None, name, cache, downloader=verified)
        except (requests.RequestException, IdxFormatError) as error:
            problems.append(f"{mirror}: {error}")
            logger.warning("Trying the next mirror: %s", error)
        else:
            return
    raise DownloadError(f"no mirror had a good {name}: {'; '.join(problems)}")


def _to_mnist_format(digit: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Bring one 8x8 digit, 0-16, to 28x28, `uint8`."""
    from scipy import ndimage

    ink = np.argwhere(digit > 0)
    (top, left), (bottom, right) = ink.min(axis=0), ink.max(axis=0) + 1
    cropped = digit[top:bottom, left:right]
    scaled = ndimage.zoom(
        cropped, BOX / max(cropped.shape), order=1, grid_mode=True, mode="nearest"
    )
    canvas = np.zeros((SIDE, SIDE))
    canvas[: scaled.shape[0], : scaled.shape[1]] = scaled
    middle = (SIDE - 1) / 2
    shift = [middle - centre for centre in ndimage.center_of_mass(canvas)]
    centred = ndimage.shift(canvas, np.round(shift), order=0)
    image: NDArray[np.uint8] = np.clip(np.round(centred * (255 / 16)), 0, 255).astype(np.uint8)
    return image
