"""Kedro's own datasets, with files that are whole or absent."""

from kedro_datasets.json import JSONDataset as KedroJSONDataset
from kedro_datasets.matplotlib import MatplotlibDataset as KedroMatplotlibDataset
from kedro_datasets.pandas import CSVDataset as KedroCSVDataset
from kedro_datasets.plotly import JSONDataset as KedroPlotlyDataset
from kedro_datasets.text import TextDataset as KedroTextDataset

from mnist_kedro.datasets.files import FileDataset


class CSVDataset(FileDataset, KedroCSVDataset):
    """Kedro's `pandas.CSVDataset`."""


class JSONDataset(FileDataset, KedroJSONDataset):
    """Kedro's `json.JSONDataset`."""


class MatplotlibDataset(FileDataset, KedroMatplotlibDataset):
    """Kedro's `matplotlib.MatplotlibDataset`."""


class PlotlyDataset(FileDataset, KedroPlotlyDataset):
    """Kedro's `plotly.JSONDataset`."""


class TextDataset(FileDataset, KedroTextDataset):
    """Kedro's `text.TextDataset`."""
