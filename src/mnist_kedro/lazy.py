"""Names for type hints whose packages are imported when first used, not when the CLI starts.

Kedro reads the hints of the nodes when a run starts, so the names must be there at run time; an
import under `TYPE_CHECKING` would not do, and plain ones cost every `kedro` command a second. So
what `kedro registry list` imports, the nodes above all, has its `np` and `pd` from here.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from matplotlib.figure import Figure
    from numpy.typing import NDArray
    from plotly.graph_objects import Figure as Chart
else:

    class _Package:
        """A package. Python's own `LazyLoader` would show threads a half-imported one."""

        def __init__(self, name: str) -> None:
            self._name = name

        def __getattr__(self, name: str) -> Any:  # noqa: ANN401 (whatever the package has)
            return getattr(import_module(self._name), name)

    np, pd = _Package("numpy"), _Package("pandas")
    Figure = Chart = Any
    NDArray = list  # takes a type in brackets, too

__all__ = ["Chart", "Figure", "NDArray", "np", "pd"]
