"""Catalog entries of the project: Kedro's, with files that are whole or absent, and its own."""

import lazy_loader

# Each is imported, and what it reads and writes with, when it is first asked for.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "idx_dataset": ["IdxDataset"],
        "model_dataset": ["ModelDataset"],
        "tables_and_figures": ["CSVDataset", "MatplotlibDataset", "PlotlyDataset"],
        "text_files": ["JSONDataset", "MarkdownDataset", "TextDataset"],
    },
)
