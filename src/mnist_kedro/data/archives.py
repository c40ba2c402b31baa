"""A file out of a zip archive that nobody vouches for."""

from __future__ import annotations

import zlib
from errno import EINVAL
from pathlib import PurePosixPath
from shutil import copyfileobj
from typing import TYPE_CHECKING
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile

from mnist_kedro.formats.idx import MAX_UNPACKED_BYTES, IdxFormatError

if TYPE_CHECKING:
    from pathlib import Path

READABLE = {ZIP_STORED, ZIP_DEFLATED}
# What zipfile raises of a damaged archive; the third of passwords and unknown versions.
ERRORS = (BadZipFile, EOFError, RuntimeError, UnicodeDecodeError, zlib.error)


def unpack(archive: Path, name: str, path: Path) -> None:
    """Write the file of this name, in whichever folder of the archive it is, to a path.

    Raises:
        IdxFormatError: The archive is damaged, has no such file, or the file is larger than
            `idx.MAX_UNPACKED_BYTES`.
        OSError: A file cannot be read or written.
    """
    try:
        with ZipFile(archive) as opened:
            members = {PurePosixPath(each.filename).name: each for each in opened.infolist()}
            member = members.get(name)
            if member is None or member.compress_type not in READABLE:
                raise IdxFormatError(f"{archive}: expected a readable file {name}, found none")
            if member.file_size > MAX_UNPACKED_BYTES:
                raise IdxFormatError(
                    f"{archive}: expected at most {MAX_UNPACKED_BYTES:,} bytes for {name}, found "
                    f"{member.file_size:,}"
                )
            # No more than the announced size comes, whatever the data unpacks to.
            with opened.open(member) as packed, path.open("wb") as file:
                copyfileobj(packed, file)
    except (*ERRORS, OSError) as error:
        if isinstance(error, OSError) and error.errno != EINVAL:  # it is where a damaged one points
            raise
        raise IdxFormatError(f"{archive}: expected a whole zip archive, found: {error}") from error
