"""What a data set is: its files, their checksums, its classes, and where it differs from MNIST."""

from __future__ import annotations

from typing import Annotated, ClassVar, Generic, Literal, Self, TypeVar

from pydantic import Field, field_validator, model_validator

from mnist_kedro.parameters import Name, Parameters

FILES: dict[Key, str] = {
    "train_images": "train-images-idx3-ubyte",
    "train_labels": "train-labels-idx1-ubyte",
    "test_images": "t10k-images-idx3-ubyte",
    "test_labels": "t10k-labels-idx1-ubyte",
}
MAX_CLASSES = 256  # a label is one byte

Key = Literal["train_images", "train_labels", "test_images", "test_labels"]
AnyKey = TypeVar("AnyKey", bound=str)
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Address = Annotated[str, Field(pattern="^https?://.+/$")]
FileName = Annotated[str, Field(pattern=r"^[^/\\]+$")]


class PublishedFiles(Parameters, Generic[AnyKey]):
    """Files that can be downloaded from mirrors.

    Args:
        name: What they are called together.
        mirrors: Addresses that end in `/`, in the order in which they are tried.
        archive: The zip file that has all of them, if the mirrors offer one.
        files: The name of each file, without `.gz`. The last word of a key says what the file
            holds: see `sources.FORMATS`.
        sha256: The checksum of each file, decompressed or as it is downloaded.
    """

    SOURCE: ClassVar[str]  # the parameter that can name a folder with these files

    name: Name
    mirrors: tuple[Address, ...]
    archive: FileName | None
    files: dict[AnyKey, FileName]
    sha256: dict[AnyKey, Sha256]

    @model_validator(mode="after")
    def _has_a_checksum_for_each_file(self) -> Self:
        if missing := ", ".join(key for key in self.files if key not in self.sha256):
            raise ValueError(
                f"expected the checksum of each file in 'sha256', found none of {missing}"
            )
        return self

    def by_hand(self) -> str:
        """Return what to do when no mirror can be reached."""
        names = ", ".join(f"{name}.gz" for name in self.files.values())
        where = f" (from {self.archive})" if self.archive else ""
        return f"put {names}{where} into a folder and add --params {self.SOURCE}=<folder>"


class DatasetSpec(PublishedFiles[Key]):
    """A data set in MNIST's format.

    Args:
        class_names: In the order of the labels.
        first_label: The lowest label in the files; once read, labels start at 0.
        transposed: Whether rows and columns of the images are swapped in the files.
        files: Only the names that differ from those in `FILES`; the others are filled in.
    """

    SOURCE = "data_ingestion.source"

    class_names: Annotated[tuple[Name, ...], Field(min_length=2, max_length=MAX_CLASSES)]
    first_label: int = Field(ge=0, lt=MAX_CLASSES)
    transposed: bool

    @field_validator("files")
    @classmethod
    def _fill_in(cls, files: dict[Key, str]) -> dict[Key, str]:
        return FILES | files

    @field_validator("class_names")
    @classmethod
    def _are_different(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(
                f"expected different names in 'class_names', found twice: {', '.join(twice)}"
            )
        return names
