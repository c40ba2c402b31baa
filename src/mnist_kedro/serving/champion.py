"""The champion that answers: its ONNX export, checked against the manifest beside it."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from kedro.io import DatasetError
from kedro.io.core import VersionNotFoundError
from pydantic import BaseModel

from mnist_kedro.formats.onnx_predict import load_onnx
from mnist_kedro.images.normalization import warn_if_unsure
from mnist_kedro.parameters import UserError

if TYPE_CHECKING:
    from collections.abc import Callable

    from kedro.io import AbstractVersionedDataset, DataCatalog
    from numpy.typing import NDArray

MODEL, MANIFEST, PROMOTION = "final_onnx", "final_manifest", "promotion"
MANIFESTS = "final_manifests"
SERVED = (MODEL, MANIFEST, PROMOTION, MANIFESTS)
BATCH = 100  # images at once: a thousand would take ten times the memory, and no less time
LOOK_SECONDS = 1.0  # between two looks for a new champion

logger = logging.getLogger(__name__)


class NotServedError(UserError):
    """A final model has no ONNX export: it has no probabilities, or nothing can export it."""


class Model(BaseModel):
    """The model that answers. Accuracies are fractions; the interval holds 95 %.

    Predictions of less than `confidence_threshold` come with a warning.
    """

    version: str
    candidate: str
    test_accuracy: float
    test_accuracy_low: float
    test_accuracy_high: float
    confidence_threshold: float | None = None
    data: str
    data_sha256: str
    classes: list[int]
    class_names: list[str]
    onnx_sha256: str


class Prediction(BaseModel):
    """What one image shows. Of a picture, `seen` is what the model saw: 28 rows of 28 pixels."""

    prediction: int
    class_name: str
    confidence: float
    probabilities: list[float]
    warning: str | None = None
    seen: list[list[int]] | None = None


class Answer(BaseModel):
    """A prediction for each image, with the classes to which its probabilities belong."""

    predictions: list[Prediction]
    classes: list[int]
    version: str


@dataclass(frozen=True)
class Champion:
    """One version of the final model, ready to predict."""

    model: Model
    probabilities: Callable[[NDArray[np.uint8]], NDArray[np.float32]]

    def predict(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the probability of each class: `uint8 (n, 28, 28)` -> `float32 (n, classes)`."""
        batches = (images[first : first + BATCH] for first in range(0, len(images), BATCH))
        return np.concatenate([self.probabilities(batch) for batch in batches])

    def answer(
        self,
        images: NDArray[np.uint8],
        warning: str | None = None,
        seen: list[list[int]] | None = None,
    ) -> Answer:
        """Return predictions for images, and what was noticed while a picture was read."""
        model, probabilities = self.model, self.predict(images)
        predictions = [
            Prediction(
                prediction=model.classes[best],
                class_name=model.class_names[best],
                confidence=row[best],
                probabilities=row,
                warning=warning
                or warn_if_unsure(row[best], model.confidence_threshold, model.class_names),
                seen=seen,
            )
            for best, row in zip(probabilities.argmax(axis=1), probabilities.tolist(), strict=True)
        ]
        return Answer(predictions=predictions, classes=model.classes, version=model.version)


def open_champion(version: str, onnx: bytes, manifest: dict[str, Any]) -> Champion:
    """Check an ONNX file against its manifest, and load it.

    Raises:
        NotServedError: There is no ONNX export.
        UserError: The file is not the one in the manifest.
    """
    export = manifest.get("onnx", {})
    if not export.get("sha256"):
        reason = export.get("reason", "run `kedro run --pipeline=final` to make one")
        raise NotServedError(f"the final model of version {version} has no ONNX export: {reason}")
    found = hashlib.sha256(onnx).hexdigest()
    if found != export["sha256"]:
        raise UserError(
            f"expected the ONNX file of version {version} to have the sha256 {export['sha256']} "
            f"of its manifest, found {found}: do not use this file"
        )
    model = Model.model_validate({**manifest, "version": version, "onnx_sha256": found})
    return Champion(model, load_onnx(onnx))


class Champions:
    """The champion of the latest decision, or one version of the final model.

    Args:
        catalog: Has the datasets `SERVED`.
        version: Of the model that answers; without it, that is the champion, whichever it is.

    Attributes:
        current: The model that answers. `watch` replaces it when there is a new champion.

    Raises:
        UserError: There is no such model, or it cannot be served.
    """

    def __init__(self, catalog: DataCatalog, version: str | None = None) -> None:
        self._catalog, self._version = catalog, version
        self._last_problem = ""
        try:
            self.current = self._open(self._wanted_version())
        except VersionNotFoundError as error:
            raise UserError(
                f"expected {PROMOTION} to be saved by an earlier run, found nothing: run `kedro "
                f"run` first"
            ) from error
        except DatasetError as error:
            raise UserError(
                f"expected the version of a final model, found {version or 'one that is gone'}: "
                f"`kedro promote` lists them"
            ) from error
        except NotServedError as error:
            raise UserError(f"{error}{self._way_out()}") from error

    def refresh(self) -> None:
        """Take the champion of the latest decision, or keep the current one and say once why."""
        try:
            version = self._wanted_version()
            if version != self.current.model.version:
                self.current = self._open(version)
                logger.info("Now serving version %s.", version)
        except (ValueError, DatasetError, OSError) as error:
            if str(error) != self._last_problem:
                logger.warning("Still serving version %s: %s", self.current.model.version, error)
                self._last_problem = str(error)

    async def watch(self) -> None:
        """Refresh every second, in a thread beside the event loop."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await asyncio.to_thread(self.refresh)

    def _wanted_version(self) -> str:
        if self._version:
            return self._version
        promotion = cast("AbstractVersionedDataset[Any, Any]", self._catalog[PROMOTION])
        promotion.release()  # else it remembers the version that it found first
        return cast("str", promotion.load()["champion"]["version"])

    def _open(self, version: str) -> Champion:
        manifest = self._catalog.load(MANIFEST, version)
        # A run that went on with what another had left has a manifest that is newer than its model.
        onnx = self._catalog.load(MODEL, manifest["provenance"]["versions"][MODEL])
        return open_champion(version, onnx, manifest)

    def _way_out(self) -> str:
        """Return which model to serve in the place of one that cannot be served."""
        manifests = {key: load() for key, load in self._catalog.load(MANIFESTS).items()}
        served = [key for key, each in manifests.items() if each["onnx"]["sha256"]]
        if not served:
            return ""
        best = max(served, key=lambda key: (manifests[key]["validation_accuracy"], key))
        return (
            f"; the best that can be served is version {best}, {manifests[best]['candidate']} "
            f"fitted on {manifests[best]['data']}: add --model-version={best}, or make it the "
            f"champion with `kedro promote {best}`"
        )
