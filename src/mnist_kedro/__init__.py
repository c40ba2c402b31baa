"""From raw IDX bytes to a tested champion: MNIST as Kedro pipelines."""

__version__ = "0.1.0"
