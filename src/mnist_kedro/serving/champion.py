"""The champion as it is served: an ONNX session, checked against the manifest beside it."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from kedro.io import DatasetError
from pydantic import BaseModel, ValidationError

from mnist_kedro.formats.mnist_format import SIDE
from mnist_kedro.formats.onnx_predict import load_onnx

if TYPE_CHECKING:
    from collections.abc import Callable

    from kedro.io import AbstractVersionedDataset, DataCatalog
    from numpy.typing import NDArray

MODEL = "final_onnx"
MANIFEST = "final_manifest"
BATCH = 100  # images at once; a thousand take ten times the memory, and no less time
LOOK_SECONDS = 1.0  # between two looks for a new champion

logger = logging.getLogger(__name__)


class ChampionError(ValueError):
    """A saved champion cannot be served; says why."""


class Description(BaseModel):
    """What is told of a champion: accuracies are fractions, from `low` to `high` at 95 %."""

    candidate: str
    test_accuracy: float
    test_accuracy_low: float
    test_accuracy_high: float
    data: str
    data_sha256: str
    classes: list[int]
    class_names: list[str]


class Export(BaseModel):
    """What the manifest says of the ONNX file: its sha256, or why there is none."""

    sha256: str | None
    reason: str | None = None


class Manifest(Description):
    """What of the manifest is read."""

    onnx: Export


@dataclass(frozen=True)
class Champion:
    """One version of the final model, ready to predict."""

    version: str
    manifest: Manifest
    probabilities: Callable[[NDArray[np.uint8]], NDArray[np.float32]]

    def predict(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the probability of each class.

        Args:
            images: `uint8 (n, 28, 28)`, 0 = paper, 255 = ink.

        Returns:
            `float32 (n, classes)`, in the order of the manifest's `classes`.
        """
        batches = (images[first : first + BATCH] for first in range(0, len(images), BATCH))
        return np.concatenate([self.probabilities(batch) for batch in batches])


def open_champion(version: str, model: bytes, manifest: dict[str, Any]) -> Champion:
    """Check an ONNX file against its manifest, and make it ready to predict.

    Raises:
        ChampionError: They do not belong together, or there is nothing to serve.
    """
    try:
        described = Manifest.model_validate(manifest)
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        raise ChampionError(
            f"expected the manifest of version {version} to describe an ONNX export, found no good "
            f"{where!r}: run `kedro run --pipeline=final` to make the final model anew"
        ) from error
    if described.onnx.sha256 is None:
        raise ChampionError(f"the champion cannot be served: {described.onnx.reason}")
    found = hashlib.sha256(model).hexdigest()
    if found != described.onnx.sha256:
        raise ChampionError(
            f"expected the ONNX file of version {version} to have the sha256 "
            f"{described.onnx.sha256} of its manifest, found {found}: do not use this file"
        )
    try:
        champion = Champion(version, described, load_onnx(model))
        champion.predict(np.zeros((1, SIDE, SIDE), np.uint8))  # the first one takes longer
    except Exception as error:  # ONNX Runtime's errors have nothing in common
        raise ChampionError(
            f"expected version {version} to be a model of images for ONNX Runtime, found: {error}"
        ) from error
    return champion


class Champions:
    """The latest champion of a catalog; `current` is another one soon after a run has saved it.

    Raises:
        ChampionError: There is none, or it cannot be served.
    """

    def __init__(self, catalog: DataCatalog) -> None:
        self._catalog = catalog
        self._refused = ""
        version = self._latest_version()
        if version is None:
            raise ChampionError(
                f"expected {MODEL} and {MANIFEST} to be saved by an earlier run, found nothing: "
                f"run `kedro run` first"
            )
        self.current = self._open(version)

    def refresh(self) -> None:
        """Take the latest champion; keep the current one if that is damaged, and say so once."""
        try:
            version = self._latest_version()
            if version not in (None, self.current.version):
                self.current = self._open(version)
                logger.info("Serving version %s from now on.", version)
        except (ChampionError, DatasetError, OSError) as error:
            if str(error) != self._refused:
                logger.warning("Serving version %s still: %s", self.current.version, error)
                self._refused = str(error)

    async def watch(self) -> None:
        """Refresh again and again, beside the event loop."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await asyncio.to_thread(self.refresh)

    def _latest_version(self) -> str | None:
        """Return the latest version of which a run has saved both, model and manifest."""
        return max(self._versions(MODEL) & self._versions(MANIFEST), default=None)

    def _versions(self, name: str) -> set[str]:
        dataset = cast("AbstractVersionedDataset[Any, Any]", self._catalog[name])
        dataset.release()  # what it remembers of its folder
        return set(dataset.list_versions(full_path=False))

    def _open(self, version: str) -> Champion:
        try:
            model, manifest = (self._catalog.load(name, version) for name in (MODEL, MANIFEST))
        except DatasetError as error:
            raise ChampionError(
                f"expected version {version} of {MODEL} and {MANIFEST} to be whole files, found: "
                f"{str(error).splitlines()[-1]}"
            ) from error
        return open_champion(version, model, manifest)
