"""Names for type hints whose packages are imported when first used, not when the CLI starts.

Kedro reads the hints of the nodes when a run starts, so the names must be there at run time; an
import under `TYPE_CHECKING` would not do, and a plain one costs every `kedro` command a second.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from plotly.graph_objects import Figure as Chart
else:

    class _Pandas:
        """pandas. Python's own `LazyLoader` would show threads a half-imported package."""

        def __getattr__(self, name: str) -> Any:  # noqa: ANN401 (whatever pandas has)
            return getattr(import_module("pandas"), name)

    pd = _Pandas()
    Figure = Chart = Any

__all__ = ["Chart", "Figure", "pd"]
