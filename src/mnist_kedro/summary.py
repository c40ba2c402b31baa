"""The end of a run, as people want to read it: candidates, champion, test accuracy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mnist_kedro.metrics import percent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mnist_kedro.lazy import pd

NARROWEST = 100  # columns; what is piped into a file has no width of its own


def print_summary(
    leaderboard: pd.DataFrame | None = None,
    champion: Mapping[str, Any] | None = None,
    final_metrics: Mapping[str, Any] | None = None,
) -> None:
    """Print what a run made of these three to standard output, and where to look next."""
    console = Console(highlight=False)
    console = console if console.is_terminal else Console(width=NARROWEST, highlight=False)
    if leaderboard is not None:
        console.print()
        console.print(_leaderboard_table(leaderboard))
    if champion is not None:
        console.print(f"[bold]Champion[/]  {escape(champion['reason'])}")
    if final_metrics is not None:
        console.print(
            f"[bold]Test[/]      {final_metrics['candidate']}, fitted on all training images of "
            f"{escape(final_metrics['data'])}: [bold]{_accuracy(final_metrics, 'test')}[/] "
            f"on {final_metrics['n_test']:,} test images"
        )
    if champion is not None or final_metrics is not None:
        console.print(
            "[bold]Next[/]      `kedro viz run` shows the DAG; data/README.md says what is where"
        )


def _leaderboard_table(leaderboard: pd.DataFrame) -> Table:
    table = Table(title=f"Candidates on {escape(leaderboard['data'][0])}", title_justify="left")
    table.add_column("candidate")
    table.add_column("validation accuracy (95 %)", justify="right")
    for name in ("fit", "predict / image", "model"):
        table.add_column(name, justify="right")
    for row in leaderboard.to_dict("records"):
        table.add_row(
            f"{row['candidate']}{' *' if row['champion'] else ''}",
            _accuracy(row, "validation"),
            f"{row['fit_seconds']:.3g} s",
            f"{row['predict_ms_per_image']:.3f} ms",
            f"{row['model_bytes'] / 1e6:.2f} MB",
            style="bold green" if row["champion"] else None,
        )
    return table


def _accuracy(metrics: Mapping[Any, Any], split: str) -> str:
    low, high = (percent(metrics[f"{split}_accuracy_{end}"]) for end in ("low", "high"))
    return f"{percent(metrics[f'{split}_accuracy'])} ({low} to {high})"
