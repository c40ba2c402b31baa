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

from mnist_kedro.data.sources import has_sha256, read_file
from mnist_kedro.formats.idx import IdxFormatError, idx_sha256
from mnist_kedro.parameters import UserError, public_address

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from mnist_kedro.data.dataset_spec import PublishedFiles

ANSWER_SECONDS = 8.0  # for all mirrors together: a run without a network is told so this soon
READ_SECONDS = 20.0  # of silence within a download, after which the next mirror is tried
CHUNK = 2**16  # bytes
MAX_REASON = 300  # characters of an error

logger = logging.getLogger(__name__)


class DownloadError(UserError):
    """No mirror gave the files; says which were tried, why each failed, and what to do by hand."""


def download(published: PublishedFiles[Any], cache: Path) -> dict[str, NDArray[Any]]:
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
    missing: Mapping[str, Path], published: PublishedFiles[Any], folder: Path
) -> dict[str, NDArray[Any]]:
    """Take the missing files from the first mirror, and what it does not have from the next."""
    from requests import RequestException

    arrays: dict[str, NDArray[Any]] = {}
    first, *_ = missing.values()
    reasons = _ask_all(published.mirrors, published.archive or first.name)
    for mirror in published.mirrors:
        if mirror in reasons:
            continue
        still_missing = {key: path for key, path in missing.items() if key not in arrays}
        try:
            arrays.update(_take(still_missing, mirror, published, folder))
        except (RequestException, IdxFormatError) as error:
            reasons[mirror] = _in_short(error)
            logger.warning("Mirror %s failed: %s", public_address(mirror), reasons[mirror])
        else:
            return arrays
    tried = "; ".join(f"{public_address(mirror)}: {why}" for mirror, why in reasons.items())
    raise DownloadError(
        f"expected {published.name} from one of {len(published.mirrors)} mirrors, found none that "
        f"has it ({tried}): check the network, or {published.by_hand()}"
    )


def _ask_all(mirrors: tuple[str, ...], name: str) -> dict[str, str]:
    """Ask all mirrors for a file at once; return those that cannot be reached, and why not.

    A mirror that answers can be reached, whatever the answer is.
    """
    import requests

    pool = ThreadPoolExecutor(max(len(mirrors), 1))
    asked = {
        mirror: pool.submit(requests.head, mirror + name, timeout=ANSWER_SECONDS)
        for mirror in mirrors
    }
    wait(asked.values(), ANSWER_SECONDS)
    pool.shutdown(wait=False)
    reasons = {}
    for mirror, answer in asked.items():
        try:
            answer.result(timeout=0)
        except TimeoutError:
            reasons[mirror] = f"no answer within {ANSWER_SECONDS:g} s"
        except requests.RequestException as error:
            reasons[mirror] = _in_short(error)
    return reasons


def _take(
    paths: Mapping[str, Path], mirror: str, published: PublishedFiles[Any], folder: Path
) -> Iterator[tuple[str, NDArray[Any]]]:
    """Download files into `folder`; move each to its path, and yield it, once it is verified."""
    from pooch import HTTPDownloader

    logger.info("Downloading %s from %s", published.name, public_address(mirror))
    timeout = ANSWER_SECONDS, READ_SECONDS
    save = HTTPDownloader(progressbar=sys.stderr.isatty(), chunk_size=CHUNK, timeout=timeout)
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
    folder = archive.parent
    try:
        with ZipFile(archive) as opened:
            members = {PurePosixPath(each.filename).name: each for each in opened.infolist()}
            for name in names:
                with opened.open(members[name]) as member, (folder / name).open("wb") as file:
                    shutil.copyfileobj(member, file)
    except (BadZipFile, EOFError, KeyError, zlib.error) as error:
        raise IdxFormatError(
            f"{archive}: expected a zip archive with {', '.join(names)}, found: {error}"
        ) from error


def _read_verified(key: str, path: Path, published: PublishedFiles[Any]) -> NDArray[Any]:
    array, sha256 = read_file(key, path), published.sha256[key]
    if not has_sha256(path, array, sha256):
        raise IdxFormatError(f"{path}: expected the sha256 {sha256}, found {idx_sha256(array)}")
    return array


def _in_short(error: Exception) -> str:
    """Return why a download failed, without passwords, in one line."""
    reason: BaseException = error
    while isinstance(error, OSError) and reason.__context__:  # requests wraps errors several times
        reason = reason.__context__
    return shorten(public_address(str(reason) or repr(reason)), MAX_REASON, placeholder=" ...")
