"""The published files from the web: downloaded once, verified, kept."""

from __future__ import annotations

import logging
import shutil
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import PurePosixPath
from textwrap import shorten
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile, ZipFile

from mnist_kedro.data.sources import read_file
from mnist_kedro.formats.idx import IdxFormatError
from mnist_kedro.parameters import UserError, public_address

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from mnist_kedro.data.dataset_spec import PublishedFiles

ANSWER_SECONDS = 8.0  # a run without a network is told so this soon
READ_SECONDS = 20.0  # of silence within a download, after which the next mirror is tried
MAX_REASON = 300  # characters of an error

logger = logging.getLogger(__name__)


class DownloadError(UserError):
    """No mirror gave the files; says which were tried, why each failed, and what to do by hand."""


def download(published: PublishedFiles, cache: Path) -> dict[str, NDArray[Any]]:
    """Return the files in `cache`; download those that are missing or damaged.

    If several processes need them at once, one downloads and the others wait.

    Args:
        published: Names, checksums and mirrors of the files.
        cache: Folder that keeps them. A file gets its final name only once it is verified.

    Returns:
        The array of each file, by the keys of `published.files`.

    Raises:
        DownloadError: No mirror gave the files.
        OSError: The folder cannot be written.
    """
    from filelock import FileLock

    cache.mkdir(parents=True, exist_ok=True)
    arrays, missing = {}, {}
    with FileLock(cache / ".lock"):
        for key, name in published.files.items():
            path = cache / f"{name}.gz"
            try:
                arrays[key] = _read_verified(key, path, published)
            except (FileNotFoundError, IdxFormatError):
                path.unlink(missing_ok=True)  # a damaged file is downloaded again
                missing[key] = path
        if missing:
            folder = cache / "unverified"
            folder.mkdir(exist_ok=True)  # a killed process may have left it
            try:
                arrays |= _try_mirrors(missing, published, folder)
            finally:
                shutil.rmtree(folder)
    return arrays


def _try_mirrors(
    missing: Mapping[str, Path], published: PublishedFiles, folder: Path
) -> dict[str, NDArray[Any]]:
    """Take the missing files from the first mirror, and what it does not have from the next."""
    import requests

    # All are asked at once. One that answers can be reached, whatever the answer is.
    name = published.archive or next(iter(missing.values())).name
    pool = ThreadPoolExecutor(max(len(published.mirrors), 1))
    answers = {
        mirror: pool.submit(requests.head, mirror + name, timeout=ANSWER_SECONDS)
        for mirror in published.mirrors
    }
    wait(answers.values(), ANSWER_SECONDS + 1)  # one may look up a name for long
    pool.shutdown(wait=False)

    arrays: dict[str, NDArray[Any]] = {}
    reasons = []
    for mirror, answer in answers.items():
        still_missing = {key: path for key, path in missing.items() if key not in arrays}
        try:
            answer.result(timeout=0)
            arrays.update(_take(still_missing, mirror, published, folder))
        except (TimeoutError, requests.RequestException, IdxFormatError) as error:
            reasons.append(f"{public_address(mirror)}: {_in_short(error)}")
        else:
            return arrays
    names = ", ".join(f"{name}.gz" for name in published.files.values())
    origin = f" (from {published.archive})" if published.archive else ""
    raise DownloadError(
        f"expected {published.name} from one of {len(published.mirrors)} mirrors, found none that "
        f"has it ({'; '.join(reasons)}): check the network, or put {names}{origin} into a folder "
        f"and add --params {published.SOURCE}=<folder>"
    )


def _take(
    paths: Mapping[str, Path], mirror: str, published: PublishedFiles, folder: Path
) -> Iterator[tuple[str, NDArray[Any]]]:
    """Download files into `folder`; move each to its path, and yield it, once it is verified."""
    from pooch import HTTPDownloader

    logger.info("Downloading %s from %s", published.name, public_address(mirror))
    save = HTTPDownloader(
        progressbar=sys.stderr.isatty(), chunk_size=2**16, timeout=(ANSWER_SECONDS, READ_SECONDS)
    )
    if archive := published.archive:
        save(mirror + archive, folder / archive, None)
        _unpack(folder / archive, [path.name for path in paths.values()])
    for key, path in paths.items():
        unverified = folder / path.name
        if not archive:
            save(mirror + path.name, unverified, None)
        array = _read_verified(key, unverified, published)
        unverified.replace(path)
        yield key, array


def _unpack(archive: Path, names: list[str]) -> None:
    """Extract files, in whichever folder of a zip archive they are, to where the archive is."""
    try:
        with ZipFile(archive) as opened:
            members = {PurePosixPath(member).name: member for member in opened.namelist()}
            for name in names:
                (archive.parent / name).write_bytes(opened.read(members[name]))
    except (BadZipFile, EOFError, KeyError, zlib.error) as error:
        raise IdxFormatError(
            f"{archive}: expected a zip archive with {', '.join(names)}, found: {error}"
        ) from error


def _read_verified(key: str, path: Path, published: PublishedFiles) -> NDArray[Any]:
    array, is_published = read_file(key, path, published)
    if not is_published:
        raise IdxFormatError(f"{path}: expected the sha256 {published.sha256[key]}, found another")
    return array


def _in_short(error: Exception) -> str:
    """Return why a download failed, without passwords, in one line."""
    reason: BaseException = error
    while isinstance(error, OSError) and reason.__context__:  # requests wraps errors several times
        reason = reason.__context__
    return shorten(public_address(str(reason) or repr(reason)), MAX_REASON, placeholder=" ...")
