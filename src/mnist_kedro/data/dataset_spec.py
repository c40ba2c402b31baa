"""What a data set is: its files, their checksums, its classes, and where it differs from MNIST."""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

from pydantic import Field, field_validator, model_validator

from mnist_kedro.parameters import Name, Parameters

FILES = {
    "train_images": "train-images-idx3-ubyte",
    "train_labels": "train-labels-idx1-ubyte",
    "test_images": "t10k-images-idx3-ubyte",
    "test_labels": "t10k-labels-idx1-ubyte",
}
MAX_CLASSES = 256  # a label is one byte

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Address = Annotated[str, Field(pattern="^https?://.+/$")]
FileName = Annotated[str, Field(pattern=r"^[^/\\]+$")]


class PublishedFiles(Parameters):
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
    files: dict[str, FileName]
    sha256: dict[str, Sha256]

    @model_validator(mode="after")
    def _has_a_checksum_for_each_file(self) -> Self:
        if self.files.keys() != self.sha256.keys():
            raise ValueError(
                f"expected a checksum in 'sha256' for each of {', '.join(self.files)}, found "
                f"{', '.join(self.sha256)}"
            )
        return self


class DatasetSpec(PublishedFiles):
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
    def _fill_in(cls, files: dict[str, str]) -> dict[str, str]:
        return FILES | files

    @field_validator("class_names")
    @classmethod
    def _are_different(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(names)) < len(names):
            raise ValueError(f"expected different names in 'class_names', found {names}")
        return names
