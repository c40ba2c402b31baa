"""A fitted model as a pickle that is unpickled only if it is the one that was saved."""

from __future__ import annotations

import hashlib
import json
import logging
import pickle
import platform
from importlib.metadata import version
from typing import IO, TYPE_CHECKING, Any

from kedro.io.core import get_filepath_str
from kedro_datasets.pickle import PickleDataset

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kedro.io import Version

PACKAGES = ("numpy", "scikit-learn", "torch")  # of which a pickled model holds objects

logger = logging.getLogger(__name__)


class ModelDataset(PickleDataset):
    """Kedro's `PickleDataset`, with a manifest beside each pickle.

    The manifest, `<name>.json`, has the sha256 of the pickle and the versions of Python and of the
    packages that made it. It tells a torn or changed file from a whole one; it is no signature.
    """

    def __init__(
        self,
        filepath: str,
        version: Version | None = None,
        credentials: dict[str, Any] | None = None,
        fs_args: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Describe the file.

        Args:
            filepath: Where it lies, here or on a remote file system.
            version: Versions to load and save, from the catalog.
            credentials: For a remote file system.
            fs_args: Options of the file system.
            metadata: Free for plugins; not used here.

        Raises:
            ValueError: There are no versions: a pickle and its manifest, replaced one after the
                other, would not belong together in between.
        """
        if version is None:
            raise ValueError(f"{filepath}: expected a model with `versioned: true`, found none")
        super().__init__(
            filepath=filepath,
            version=version,
            credentials=credentials,
            fs_args=fs_args,
            metadata=metadata,
        )

    def load(self) -> Any:  # noqa: ANN401 (any model)
        """Return the model; warn of packages that have changed since it was saved.

        Raises:
            ValueError: The file is not the one that was saved.
        """
        path = get_filepath_str(self._get_load_path(), self._protocol)
        manifest = self._read_manifest(path)
        with self._fs.open(path, "rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
            if found != manifest["sha256"]:
                raise ValueError(
                    f"{path}: expected the model with the sha256 {manifest['sha256']}, found "
                    f"{found}: the file is torn or was changed, so fit the model again"
                )
            _warn_of_changes(path, manifest["made_with"])
            file.seek(0)
            return pickle.load(file)

    def save(self, data: Any) -> None:  # noqa: ANN401
        """Write the manifest, then the model: there is never a model without one."""
        path = get_filepath_str(self._get_save_path(), self._protocol)
        with self._fs.open(path, "wb") as file:
            hashed = _HashedFile(file)
            pickle.dump(data, hashed)
            file.flush()
            manifest = {"sha256": hashed.sha256.hexdigest(), "made_with": _made_with()}
            with self._fs.open(f"{path}.json", "w") as manifest_file:
                json.dump(manifest, manifest_file, indent=2)
        self._invalidate_cache()

    def _read_manifest(self, path: str) -> dict[str, Any]:
        try:
            with self._fs.open(f"{path}.json") as file:
                manifest: dict[str, Any] = json.load(file)
        except FileNotFoundError:
            raise ValueError(
                f"{path}: expected a manifest beside it, {path}.json, found none: it was not saved "
                f"by this project as it is now, so fit the model again"
            ) from None
        return manifest


class _HashedFile:
    """A file to write to, and the sha256 of what was written."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.sha256 = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.sha256.update(data)
        return self._file.write(data)


def _made_with() -> dict[str, str]:
    return {"python": platform.python_version()} | {name: version(name) for name in PACKAGES}


def _warn_of_changes(path: str, made_with: Mapping[str, str]) -> None:
    now = _made_with()
    changes = [
        f"{name} {old} (now {now.get(name, 'missing')})"
        for name, old in made_with.items()
        if now.get(name) != old
    ]
    if changes:
        logger.warning(
            "%s was made with %s: it may predict differently, or not at all; fit it again if so.",
            *(path, ", ".join(changes)),
        )
