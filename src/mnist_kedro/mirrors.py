"""The official files from the web: fetched once, verified, kept."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from mnist_kedro.idx import IdxFormatError, idx_sha256, largest_size
from mnist_kedro.parameters import public_address
from mnist_kedro.sources import FILES, Arrays, item_shape, read_file, validate_arrays
from mnist_kedro.web import Download, answering

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

PART = ".part"  # ends the name of a file that is not verified yet
HEADER_BYTES = 4096  # of a file, compressed or not, more than enough to know its header

logger = logging.getLogger(__name__)


class DownloadError(ConnectionError):
    """No mirror gave the files."""


def download(mirrors: Sequence[str], sha256: Mapping[str, str], cache: Path) -> Arrays:
    """Return the files of `cache`; fetch those that are missing or damaged there from a mirror.

    One process at a time fetches; the others wait for its files. Mirrors that do not answer cost
    `web.ANSWER_SECONDS`, all of them together. One that gives fewer than `web.SLOWEST` bytes per
    second costs `web.READ_SECONDS`, and is asked for nothing more. A file takes no longer than
    `web.LONGEST_SECONDS` from one mirror, and no more bytes than its own header asks for, of which
    `idx.MAX_UNPACKED_BYTES` is the most.

    Args:
        mirrors: Addresses that end in `/`, in the order in which they are tried. Users and
            passwords in them are in no log and no error.
        sha256: For each name in `FILES`, of the decompressed bytes (mirrors compress anew).
        cache: Folder that keeps the files. Nothing unverified is ever in it under its final name.

    Raises:
        DownloadError: No mirror could be reached, or none had the right bytes.
        OSError: The folder cannot be written.
    """
    from filelock import FileLock

    cache.mkdir(parents=True, exist_ok=True)
    paths = {key: cache / f"{name}.gz" for key, name in FILES.items()}
    with FileLock(cache / ".lock"):
        for left in cache.glob(f"*{PART}"):  # by a process that was killed
            left.unlink()
        kept = {key: _read_kept(key, path, sha256[key]) for key, path in paths.items()}
        missing = [key for key, array in kept.items() if array is None]
        reachable = _reachable(mirrors) if missing else []
        fetched = {key: _fetch(key, paths[key], sha256[key], reachable) for key in missing}
    arrays = Arrays(**{key: array for key, array in kept.items() if array is not None}, **fetched)
    validate_arrays(arrays, {key: str(path) for key, path in paths.items()})
    return arrays


def _read_kept(key: str, path: Path, sha256: str) -> NDArray[np.uint8] | None:
    """Return a file that was fetched earlier; remove it if it is damaged."""
    if not path.is_file():
        return None
    try:
        return _verified(key, path, sha256)
    except IdxFormatError as error:
        logger.warning("Fetching a damaged file again: %s", error)
        path.unlink()
        return None


def _verified(key: str, path: Path, sha256: str) -> NDArray[np.uint8]:
    array = read_file(key, path)
    found = idx_sha256(array)
    if found != sha256:
        raise IdxFormatError(f"{path}: expected the sha256 {sha256}, found {found}")
    return array


def _reachable(mirrors: Sequence[str]) -> list[str]:
    """Return the mirrors that answer, whatever they answer: the download will tell."""
    asked = {f"{mirror}{FILES['test_labels']}.gz": mirror for mirror in mirrors}
    reachable = [asked[url] for url in answering(list(asked))]
    if not reachable:
        raise DownloadError(
            f"none of {len(mirrors)} mirrors answered ({', '.join(map(public_address, mirrors))}): "
            f"check the network, or put the four files into a folder and add "
            f"--params data_ingestion.source=<folder>"
        )
    return reachable


def _fetch(key: str, path: Path, sha256: str, mirrors: list[str]) -> NDArray[np.uint8]:
    """Fetch a file from the first mirror that has it; take out of `mirrors` the too slow ones."""
    problems = []
    for mirror in list(mirrors):
        url = f"{mirror}{path.name}"
        logger.info("Downloading %s", public_address(url))
        try:
            _fetch_from(url, key, path, sha256)
        except (ConnectionError, TimeoutError, IdxFormatError) as error:
            problems.append(f"{public_address(mirror)}: {error}")
            logger.warning("Nothing good at %s: %s", public_address(url), error)
            if isinstance(error, TimeoutError):
                mirrors.remove(mirror)
        else:
            return read_file(key, path)
    raise DownloadError(f"no mirror had a good {path.name}: {'; '.join(problems)}")


def _fetch_from(url: str, key: str, path: Path, sha256: str) -> None:
    part = path.with_suffix(PART)
    try:
        _save(url, part, item_shape(key))
        _verified(key, part, sha256)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _save(url: str, path: Path, shape: tuple[int, ...]) -> None:
    """Save what comes from an address, as long as it can be a file of items of this shape."""
    from tqdm import tqdm

    bar = tqdm(desc=path.stem, unit="B", unit_scale=True, disable=None, dynamic_ncols=True)
    limit = None
    with bar, Download(url) as arriving, path.open("wb") as file:
        for chunk in arriving:
            file.write(chunk)
            bar.total = arriving.size
            bar.update(len(chunk))
            if limit is None and file.tell() >= HEADER_BYTES:
                file.flush()
                limit = largest_size(path, shape)
            if limit is not None and file.tell() > limit:
                raise IdxFormatError(
                    f"{path}: expected at most {limit:,} bytes of what begins like this, found more"
                )
