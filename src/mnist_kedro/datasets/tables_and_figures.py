"""Tables and figures in files that are whole or absent."""

from kedro_datasets.matplotlib import MatplotlibDataset as KedroMatplotlibDataset
from kedro_datasets.pandas import CSVDataset as KedroCSVDataset
from kedro_datasets.plotly import JSONDataset as KedroPlotlyDataset

from mnist_kedro.datasets.files import FileDataset


class CSVDataset(FileDataset, KedroCSVDataset):
    """Kedro's `pandas.CSVDataset`."""


class MatplotlibDataset(FileDataset, KedroMatplotlibDataset):
    """Kedro's `matplotlib.MatplotlibDataset`."""


class PlotlyDataset(FileDataset, KedroPlotlyDataset):
    """Kedro's `plotly.JSONDataset`."""
