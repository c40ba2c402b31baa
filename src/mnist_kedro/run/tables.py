"""Tables of the summary."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from mnist_kedro.evaluation.metrics import percent

if TYPE_CHECKING:
    from mnist_kedro.lazy import pd


def folds_table(board: pd.DataFrame) -> Table:
    """Return the table of candidates over folds, from the `fold_leaderboard`."""
    title = "In {folds} folds of {images:,} images, against {candidate}".format(**board.iloc[0])
    table = Table(box=SIMPLE_HEAD, pad_edge=False, title=escape(title), title_justify="left")
    table.add_column("candidate")
    for name in ("mean", "std", "McNemar's p", "t-test's p", "fit"):
        table.add_column(name, justify="right")
    for row in board.to_dict("records"):
        table.add_row(
            escape(row["candidate"]),
            percent(row["fold_accuracy_mean"]),
            percent(row["fold_accuracy_std"]),
            f"{row['mcnemar_p_value']:.2g}",
            "-" if isnan(row["t_test_p_value"]) else f"{row['t_test_p_value']:.2g}",
            f"{row['fold_fit_seconds']:,.2f} s",
        )
    return table


def predictions_table(predictions: pd.DataFrame) -> Table:
    """Return the table of what was read in somebody's pictures."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in ("file", "label", "confidence", "second", "warning"):
        table.add_column(name, justify="left" if name in ("file", "warning") else "right")
    for row in predictions.astype(object).where(predictions.notna(), None).to_dict("records"):
        file, name, second, warning = (
            escape(row[key] or "") for key in ("file", "name", "second_name", "warning")
        )
        sure = "" if row["confidence"] is None else percent(row["confidence"])
        table.add_row(file, name, sure, second, warning)
    return table
