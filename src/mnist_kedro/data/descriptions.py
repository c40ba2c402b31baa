"""What a data set is: its files, how to know them, its classes, and where it differs from MNIST."""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator

from mnist_kedro.parameters import Name, Parameters

FILES = {
    "train_images": "train-images-idx3-ubyte",
    "train_labels": "train-labels-idx1-ubyte",
    "test_images": "t10k-images-idx3-ubyte",
    "test_labels": "t10k-labels-idx1-ubyte",
}
MOST_CLASSES = 256  # that a label of one byte can tell apart

Key = Literal["train_images", "train_labels", "test_images", "test_labels"]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Address = Annotated[str, Field(pattern="^https?://.+/$")]
FileName = Annotated[str, Field(pattern=r"^[^/\\]+$")]


class Checksums(Parameters):
    """The sha256 of each file, decompressed or as the mirrors have it: whichever is known."""

    train_images: Sha256
    train_labels: Sha256
    test_images: Sha256
    test_labels: Sha256


class Published(Parameters):
    """Files that mirrors have.

    Args:
        name: What they are called together.
        mirrors: Addresses that end in `/`, in the order in which they are tried.
        archive: The zip in which the mirrors have all files, if they have them in one.
    """

    BY_HAND: ClassVar[str]  # the parameter that names a folder with the files

    name: Name
    mirrors: tuple[Address, ...]
    archive: FileName | None

    @abstractmethod
    def file_names(self) -> dict[str, str]:
        """Return the name of each file, without `.gz`, by what it holds: see `sources.FORMATS`."""

    @abstractmethod
    def checksums(self) -> dict[str, str]:
        """Return the sha256 of each file."""

    def by_hand(self) -> str:
        """Return what to do without mirrors."""
        names = ", ".join(f"{name}.gz" for name in self.file_names().values())
        where = f" ({self.archive} has them)" if self.archive else ""
        return f"put {names}{where} into a folder and add --params {self.BY_HAND}=<folder>"


class Description(Published):
    """A data set in MNIST's format.

    Args:
        class_names: In the order of the labels.
        first_label: The lowest label in its files; once read, labels count from 0.
        transposed: Whether rows and columns of its images have changed places.
        files: Names that differ from those in `FILES`, without `.gz`.
        sha256: Of the files.
    """

    BY_HAND = "data_ingestion.source"

    class_names: Annotated[tuple[Name, ...], Field(min_length=2, max_length=MOST_CLASSES)]
    first_label: int = Field(ge=0, lt=MOST_CLASSES)
    transposed: bool
    files: dict[Key, FileName]
    sha256: Checksums

    @field_validator("class_names")
    @classmethod
    def _are_different(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(
                f"expected different names in 'class_names', found twice: {', '.join(twice)}"
            )
        return names

    def file_names(self) -> dict[str, str]:
        """Return the name of each file, in the order of `FILES`."""
        return FILES | {str(key): name for key, name in self.files.items()}

    def checksums(self) -> dict[str, str]:
        """Return the sha256 of each file."""
        return {str(key): value for key, value in self.sha256.model_dump().items()}
