"""The official files from the web: fetched once, verified, kept."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from mnist_kedro.data.archives import unpack
from mnist_kedro.data.sources import Arrays, bring_to_order, file_format, has_sha256, read_file
from mnist_kedro.data.web import Download, answering
from mnist_kedro.formats.idx import IdxFormatError, idx_sha256, largest_size
from mnist_kedro.parameters import public_address

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from mnist_kedro.data.descriptions import Description, Published

PART = ".part"  # ends the name of a file that is not verified yet
HEADER_BYTES = 4096  # of a file, compressed or not, more than enough to know its header
MAX_ARCHIVE_BYTES = 2**30

logger = logging.getLogger(__name__)


class DownloadError(ConnectionError):
    """No mirror gave the files."""


def download(description: Description, cache: Path) -> Arrays:
    """Return the data set that `fetch` brings, verified as a whole.

    Raises:
        IdxFormatError: The files do not belong together.
    """
    arrays = Arrays(**fetch(description, cache))
    names = {key: str(cache / f"{name}.gz") for key, name in description.file_names().items()}
    return bring_to_order(arrays, names, description)


def fetch(published: Published, cache: Path) -> dict[str, NDArray[Any]]:
    """Return the files of `cache`; fetch those that are missing or damaged there from a mirror.

    One process at a time fetches; the others wait for its files. Mirrors that do not answer cost
    `web.ANSWER_SECONDS`, all of them together. One that gives fewer than `web.SLOWEST` bytes per
    second costs `web.READ_SECONDS`, and is asked for nothing more. A file takes no longer than
    `web.LONGEST_SECONDS` from one mirror, and no more bytes than its own header asks for, of which
    `idx.MAX_UNPACKED_BYTES` is the most; an archive takes `MAX_ARCHIVE_BYTES` at most.

    Args:
        published: With the mirrors, in the order in which they are tried, and the checksums. Users
            and passwords in addresses are in no log and no error.
        cache: Folder that keeps the files. Nothing unverified is ever in it under its final name.

    Raises:
        DownloadError: No mirror could be reached, or none had the right bytes.
        OSError: The folder cannot be written.
    """
    from filelock import FileLock

    cache.mkdir(parents=True, exist_ok=True)
    paths = {key: cache / f"{name}.gz" for key, name in published.file_names().items()}
    sha256 = published.checksums()
    with FileLock(cache / ".lock"):
        for left in cache.glob(f"*{PART}"):  # by a process that was killed
            left.unlink()
        kept = {key: _read_kept(key, path, sha256[key]) for key, path in paths.items()}
        missing = {key: paths[key] for key, array in kept.items() if array is None}
        if missing:
            _fetch(missing, published)
        fetched = {key: read_file(key, path) for key, path in missing.items()}
    return {key: array for key, array in kept.items() if array is not None} | fetched


def _read_kept(key: str, path: Path, sha256: str) -> NDArray[Any] | None:
    """Return a file that was fetched earlier; remove it if it is damaged."""
    if not path.is_file():
        return None
    try:
        return _verified(key, path, sha256)
    except IdxFormatError as error:
        logger.warning("Fetching a damaged file again: %s", error)
        path.unlink()
        return None


def _verified(key: str, path: Path, sha256: str) -> NDArray[Any]:
    array = read_file(key, path)
    if not has_sha256(path, array, sha256):
        raise IdxFormatError(f"{path}: expected the sha256 {sha256}, found {idx_sha256(array)}")
    return array


def _fetch(paths: Mapping[str, Path], published: Published) -> None:
    """Fetch these files, one by one or in an archive, from the mirrors that answer."""
    sha256, archive = published.checksums(), published.archive
    mirrors = _reachable(published)
    if archive:
        path = next(iter(paths.values())).with_name(archive)
        take = partial(_take_archive, path=path, wanted=paths, sha256=sha256)
        _from_a_mirror(archive, take, mirrors, published)
        return
    for key, path in paths.items():
        take = partial(_take_file, key=key, path=path, sha256=sha256[key])
        _from_a_mirror(path.name, take, mirrors, published)


def _reachable(published: Published) -> list[str]:
    """Return the mirrors that answer, whatever they answer: the download will tell."""
    mirrors = published.mirrors
    *_, last = published.file_names().values()
    name = published.archive or f"{last}.gz"
    asked = {f"{mirror}{name}": mirror for mirror in mirrors}
    reachable = [asked[url] for url in answering(list(asked))]
    if not reachable:
        raise DownloadError(
            f"none of {len(mirrors)} mirrors of {published.name} answered "
            f"({', '.join(map(public_address, mirrors))}): check the network, or "
            f"{published.by_hand()}"
        )
    return reachable


def _from_a_mirror(
    name: str, take: Callable[[str], None], mirrors: list[str], published: Published
) -> None:
    """Take a file from the first mirror that has it; take out of `mirrors` the too slow ones."""
    problems = []
    for mirror in list(mirrors):
        url = f"{mirror}{name}"
        logger.info("Downloading %s", public_address(url))
        try:
            take(url)
        except (ConnectionError, TimeoutError, IdxFormatError) as error:
            problems.append(f"{public_address(mirror)}: {error}")
            logger.warning("Nothing good at %s: %s", public_address(url), error)
            if isinstance(error, TimeoutError):
                mirrors.remove(mirror)
        else:
            return
    raise DownloadError(
        f"no mirror had a good {name}: {'; '.join(problems)}; or {published.by_hand()}"
    )


def _take_file(url: str, key: str, path: Path, sha256: str) -> None:
    """Save a file, and keep it if it is the right one."""
    with _temporary(path) as part:
        shape, kind = file_format(key)
        _save(url, part, partial(largest_size, item_shape=shape, kind=kind))
        _verified(key, part, sha256)
        part.replace(path)


def _take_archive(
    url: str, path: Path, wanted: Mapping[str, Path], sha256: Mapping[str, str]
) -> None:
    """Save an archive, and keep those of its files that are wanted, if they are the right ones."""
    with _temporary(path) as archive:
        _save(url, archive, lambda _: MAX_ARCHIVE_BYTES)
        for key, kept in wanted.items():
            with _temporary(kept) as part:
                unpack(archive, kept.name, part)
                _verified(key, part, sha256[key])
                part.replace(kept)


@contextmanager
def _temporary(path: Path) -> Iterator[Path]:
    """Yield where a file is written until it is verified, and remove what is left there."""
    part = path.with_suffix(PART)
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)


def _save(url: str, path: Path, largest: Callable[[Path], int]) -> None:
    """Save what comes from an address, as long as it is no larger than its beginning allows."""
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
                limit = largest(path)
            if limit is not None and file.tell() > limit:
                raise IdxFormatError(
                    f"{path}: expected at most {limit:,} bytes of what begins like this, found more"
                )
