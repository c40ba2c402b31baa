"""A fitted model as a pickle that is unpickled only if it is the one that was saved."""

from __future__ import annotations

import hashlib
import json
import logging
import platform
from importlib.metadata import version
from io import BytesIO
from typing import TYPE_CHECKING, Any

import joblib
from kedro.io.core import get_filepath_str
from kedro_datasets.pickle import PickleDataset

from mnist_kedro.datasets.files import FileDataset
from mnist_kedro.parameters import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping

PACKAGES = ("numpy", "scikit-learn", "torch")  # of which a pickled model holds objects
# A forest takes 9 MB in the place of 58; to save and to load it, 0.3 and 0.1 s more. Higher levels,
# up to 9, save little and take longer.
COMPRESSION = 3

logger = logging.getLogger(__name__)


class ModelDataset(FileDataset, PickleDataset):
    """Kedro's `PickleDataset`, compressed by joblib, with a manifest beside each pickle.

    The manifest, `<name>.json`, has the sha256 of the pickle and the versions of Python and of the
    packages that made it. It tells a changed file from the one that was saved; it is no signature.
    The catalog entry needs `versioned: true`: pickle and manifest are saved one after the other.
    """

    def load(self) -> Any:  # noqa: ANN401 (any model)
        """Return the model; warn of packages that have changed since it was saved.

        Raises:
            UserError: The file is not the one that was saved, or has no manifest.
        """
        path = get_filepath_str(self._get_load_path(), self._protocol)
        try:
            with self._fs.open(f"{path}.json") as file:
                manifest: dict[str, Any] = json.load(file)
        except FileNotFoundError:
            raise UserError(
                f"{path}: expected a manifest beside it, {path}.json, found none: it was not saved "
                f"by this project as it is now, so fit the model again"
            ) from None
        with self._fs.open(path, "rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
            if found != manifest["sha256"]:
                raise UserError(
                    f"{path}: expected the model with the sha256 {manifest['sha256']}, found "
                    f"{found}: the file was changed, so fit the model again"
                )
            _warn_of_changes(path, manifest["made_with"])
            file.seek(0)
            return joblib.load(file)

    def save(self, data: Any) -> None:  # noqa: ANN401
        """Write the manifest, then the model: there is never a model without one."""
        path = get_filepath_str(self._get_save_path(), self._protocol)
        pickled = BytesIO()
        joblib.dump(data, pickled, COMPRESSION)
        manifest = {
            "sha256": hashlib.sha256(pickled.getbuffer()).hexdigest(),
            "made_with": _made_with(),
        }
        with self._fs.open(f"{path}.json", "w") as file:
            json.dump(manifest, file, indent=2)
        with self._fs.open(path, "wb") as file:
            file.write(pickled.getbuffer())
        self._invalidate_cache()


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
