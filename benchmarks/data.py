"""MNIST, as the project's configuration describes it."""

from pathlib import Path

import yaml

from mnist_kedro.data.dataset_spec import DatasetSpec
from mnist_kedro.data.sources import Arrays, load_folder

CONFIGURATION = Path(__file__).parents[1] / "conf" / "base" / "parameters_data_ingestion.yml"


def load_mnist(folder: Path) -> Arrays:
    """Load and verify the four files of a folder."""
    settings = yaml.safe_load(CONFIGURATION.read_text(encoding="utf-8"))["data_ingestion"]
    described = {name: settings[name] for name in DatasetSpec.model_fields}
    arrays, _ = load_folder(folder, DatasetSpec.model_validate(described))
    return arrays
