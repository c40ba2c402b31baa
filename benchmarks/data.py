"""MNIST and the parameters, as the project's configuration describes them."""

from __future__ import annotations

import argparse
from functools import cache
from pathlib import Path
from typing import Any

from kedro.config import OmegaConfigLoader

from benchmarks.commands import PROJECT
from mnist_kedro.data.dataset_spec import FILES, DatasetSpec
from mnist_kedro.data.sources import Arrays, load_folder
from mnist_kedro.settings import CONFIG_LOADER_ARGS


def read_parameters(environment: str = "base") -> dict[str, Any]:
    """Return the parameters of an environment as Kedro reads them, without those of `local`."""
    loader = OmegaConfigLoader(str(PROJECT / "conf"), env=environment, **CONFIG_LOADER_ARGS)
    parameters: dict[str, Any] = loader["parameters"]
    return parameters


@cache  # one benchmark times `load_mnist`
def mnist_spec() -> DatasetSpec:
    """Return what the configuration says of MNIST."""
    settings = read_parameters()["data_ingestion"]
    return DatasetSpec.model_validate({name: settings[name] for name in DatasetSpec.model_fields})


def load_mnist(folder: Path) -> Arrays:
    """Load and verify the four files of a folder."""
    return load_folder(folder, mnist_spec())[0]


def add_data_option(parser: argparse.ArgumentParser) -> None:
    """Let a command take `--data FOLDER`."""
    parser.add_argument(
        "--data",
        type=mnist_folder,
        default=str(PROJECT / ".." / "shared" / "mnist"),
        metavar="FOLDER",
        help="with the four compressed MNIST files (default: ../shared/mnist beside the project)",
    )


def mnist_folder(path: str) -> Path:
    """Return the path of a folder that has the four files.

    Raises:
        argparse.ArgumentTypeError: It lacks some of them.
    """
    folder = Path(path).resolve()
    names = [f"{name}.gz" for name in FILES.values()]
    if missing := [name for name in names if not (folder / name).is_file()]:
        raise argparse.ArgumentTypeError(
            f"expected the four compressed MNIST files in {folder}, found no "
            f"{', '.join(missing)}: put them there, or name their folder with --data"
        )
    return folder
