"""Numbers and tables as the model card has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable


def share(value: float) -> str:
    """Return a fraction to a tenth of a percent; of none, that there is none."""
    return "none" if np.isnan(value) else f"{100 * value:.1f} %"


def table_of(header: list[str], rows: Iterable[Iterable[Any]]) -> str:
    """Return a Markdown table whose columns stand in line in plain text, too."""
    cells = [header, *([str(cell).replace("|", r"\|") for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    cells.insert(1, ["-" * (width - 1) + ":" for width in widths])
    lines = (zip(line, widths, strict=True) for line in cells)
    return "\n".join(
        f"| {' | '.join(cell.rjust(width) for cell, width in line)} |" for line in lines
    )
