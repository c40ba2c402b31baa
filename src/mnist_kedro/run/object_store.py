"""S3-compatible storage for fsspec, by PyArrow: objects there are complete or absent, too.

`s3fs` would do, if what it needs (python-dateutil below 3) went together with our other packages.
"""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING, Any

from fsspec.implementations.arrow import ArrowFSWrapper
from pyarrow.fs import S3FileSystem

if TYPE_CHECKING:
    from collections.abc import Callable


class ObjectStore(ArrowFSWrapper):
    """Where `AWS_ENDPOINT_URL` says, or Amazon's; keys and region are in AWS's other variables.

    So they are in no catalog, and in nothing that is sent to workers.
    """

    protocol = "s3"

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401 (fsspec's)
        endpoint = os.environ.get("AWS_ENDPOINT_URL")
        super().__init__(S3FileSystem(endpoint_override=endpoint), **kwargs)

    def _open(self, path: str, mode: str = "rb", **kwargs: Any) -> Any:  # noqa: ANN401 (fsspec's)
        if mode != "wb":
            return super()._open(path, mode, **kwargs)
        return _WholeObject(lambda data: self._upload(path, data))

    def _upload(self, path: str, data: memoryview) -> None:
        with self.fs.open_output_stream(path) as stream:
            stream.write(data)


class _WholeObject(io.BytesIO):
    """A new object that is uploaded when it is closed, unless an exception was raised meanwhile."""

    def __init__(self, upload: Callable[[memoryview], None]) -> None:
        super().__init__()
        self._upload = upload
        self._handled = sys.exception()

    def close(self) -> None:
        """Upload it, or discard it."""
        if not self.closed and sys.exception() is self._handled:
            with self.getbuffer() as data:
                self._upload(data)
        super().close()

    def __del__(self) -> None:
        """Discard what nobody has closed."""
        super().close()
