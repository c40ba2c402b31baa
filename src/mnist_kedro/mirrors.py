"""The official files from the web: fetched once, verified, kept."""

from __future__ import annotations

import logging
import sys
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_kedro.idx import IdxFormatError, idx_sha256
from mnist_kedro.sources import FILES, Arrays, read_file, validate_arrays

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

ANSWER_SECONDS = 8.0  # within which a mirror answers, or counts as out of reach
READ_SECONDS = 20.0  # without a byte, after which a download is given up

logger = logging.getLogger(__name__)


class DownloadError(ConnectionError):
    """No mirror gave the files."""


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
    paths = {key: cache / f"{name}.gz" for key, name in FILES.items()}
    with FileLock(cache / ".lock"):
        kept = {key: _read_kept(key, path, sha256[key]) for key, path in paths.items()}
        missing = [key for key, array in kept.items() if array is None]
        reachable = _answering(mirrors) if missing else []
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


def _answering(mirrors: Sequence[str]) -> list[str]:
    """Return the mirrors that answer; asked at once, so being offline costs one time-out."""
    import requests

    def ask(mirror: str) -> requests.Response:
        url = f"{mirror}{FILES['test_labels']}.gz"
        return requests.head(url, timeout=ANSWER_SECONDS, allow_redirects=True)

    pool = ThreadPoolExecutor(max_workers=max(1, len(mirrors)))
    asked = {mirror: pool.submit(ask, mirror) for mirror in mirrors}
    done, _ = wait(asked.values(), timeout=ANSWER_SECONDS)
    pool.shutdown(wait=False, cancel_futures=True)
    # Whatever the answer is: the download will tell.
    reachable = [mirror for mirror, f in asked.items() if f in done and not f.exception()]
    if not reachable:
        raise DownloadError(
            f"none of {len(mirrors)} mirrors answered ({', '.join(mirrors)}): check the network, "
            f"or put the four files into a folder and add --params data_ingestion.source=<folder>"
        )
    return reachable


def _fetch(key: str, path: Path, sha256: str, mirrors: Sequence[str]) -> NDArray[np.uint8]:
    """Fetch a file from the first mirror that has it, by a temporary file; return its array."""
    import pooch
    import requests

    pooch.get_logger().setLevel("WARNING")
    time_outs = (ANSWER_SECONDS, READ_SECONDS)
    http = pooch.HTTPDownloader(timeout=time_outs, progressbar=sys.stderr.isatty())

    def fetch_verified(url: str, output_file: str, retriever: pooch.Pooch | None) -> None:
        http(url, output_file, retriever)
        _verified(key, Path(output_file), sha256)

    problems = []
    for mirror in mirrors:
        url = f"{mirror}{path.name}"
        logger.info("Downloading %s", url)
        try:
            pooch.retrieve(url, None, path.name, path.parent, downloader=fetch_verified)
        except (requests.RequestException, ValueError) as error:  # wrong bytes, wrong headers
            problems.append(f"{mirror}: {error}")
            logger.warning("Nothing good at %s: %s", url, error)
        else:
            return read_file(key, path)
    raise DownloadError(f"no mirror had a good {path.name}: {'; '.join(problems)}")
