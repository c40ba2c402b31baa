"""Interactive charts that compare candidates, readable on light and on dark paper."""

from __future__ import annotations

from itertools import cycle, product
from typing import TYPE_CHECKING, Any

from mnist_kedro.lazy import Chart, pd

if TYPE_CHECKING:
    from collections.abc import Iterable

# Okabe and Ito, 2008 (https://jfly.uni-koeln.de/color/): colour-blind people can tell them apart.
# Their black is lost on dark paper and their yellow on light, so both are left out.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9")
GREY = "rgba(128, 128, 128, 0.8)"
COSTS = {
    "fit_cpu_seconds": "CPU time to fit, of all threads (s)",
    "fit_seconds": "time to fit (s)",
    "predict_ms_per_image": "time to predict an image (ms)",
    "model_bytes": "size of the model (bytes)",
}
LABELLED = 10  # candidates; if there are more, only those on the Pareto front get their names
AXIS = {"gridcolor": "rgba(128, 128, 128, 0.25)", "zeroline": False}


def chart_accuracy_against_cost(leaderboard: pd.DataFrame, cost: str) -> Chart:
    """Draw what accuracy costs, with the Pareto front as a line and a star for the champion.

    Args:
        leaderboard: A row per candidate, as `rank_candidates` returns it.
        cost: The column to draw it against, one of `COSTS`.

    Returns:
        A figure with a trace `Pareto front` and one per candidate: a point with its 95 % interval.
    """
    from plotly.graph_objects import Figure

    colours, front = candidate_colours(leaderboard["candidate"]), pareto_front(leaderboard, cost)
    # Three quarters of the way on a log axis: beyond it, a label has no room to the right.
    far = leaderboard[cost].min() ** 0.25 * leaderboard[cost].max() ** 0.75
    title = f"What accuracy costs on {leaderboard['data'].iloc[0]}"
    figure = Figure(layout={"template": "none", "title_text": title, "showlegend": False})
    figure.add_scatter(
        name="Pareto front",
        x=front[cost].tolist(),
        y=front["validation_accuracy"].tolist(),
        mode="lines",
        line={"color": GREY, "dash": "dot", "shape": "hv"},
        hoverinfo="skip",
    )
    for index, row in leaderboard.iterrows():
        beaten = index not in front.index
        above, beside = "bottom" if beaten else "top", "left" if row[cost] > far else "right"
        figure.add_scatter(
            **_point(row, cost, labelled=not beaten or len(leaderboard) <= LABELLED),
            marker_color=colours[row["candidate"]],
            textposition=f"{above} {beside}",
        )
    figure.update_xaxes(AXIS, type="log", tickformat="~g", title_text=COSTS[cost])
    figure.update_yaxes(AXIS, tickformat=".1%", title_text="validation accuracy")
    return figure


def pareto_front(leaderboard: pd.DataFrame, cost: str) -> pd.DataFrame:
    """Return the candidates that no other beats in accuracy without costing more, cheapest first.

    Of candidates that are equal in both, it has the first.
    """
    order = {cost: True, "validation_accuracy": False}
    ordered = leaderboard.sort_values([*order], ascending=[*order.values()], kind="stable")
    accuracy = ordered["validation_accuracy"]
    return ordered[accuracy > accuracy.cummax().shift(fill_value=-1.0)]


def chart_learning_curves(**histories: pd.DataFrame) -> Chart:
    """Draw training loss above validation accuracy, per epoch, of candidates that have epochs.

    Args:
        histories: By candidate, tables as `fit_classifier` returns them.

    Returns:
        A figure with two traces per candidate of more than one epoch; if there is none, its title
        says so.
    """
    from plotly.subplots import make_subplots

    colours = candidate_colours(histories)
    curves = {name: history for name, history in histories.items() if len(history) > 1}
    panels = {"train_loss": "training loss", "validation_accuracy": "validation accuracy"}
    figure = make_subplots(rows=2, shared_xaxes=True, subplot_titles=[*panels.values()])
    figure.update_annotations(font_size=12)
    title = "Learning curves" if curves else "No candidate learned in epochs."
    figure.update_layout(template="none", title_text=title)
    for (row, column), (name, history) in product(enumerate(panels, start=1), curves.items()):
        figure.add_scatter(
            name=name,
            legendgroup=name,
            showlegend=row == 1,
            x=history["epoch"].tolist(),
            y=history[column].tolist(),
            mode="lines",
            line_color=colours[name],
            row=row,
            col=1,
        )
    figure.update_xaxes(AXIS)
    figure.update_xaxes(row=2, title_text="epoch")
    figure.update_yaxes(AXIS)
    figure.update_yaxes(row=1, type="log", tickformat="~g")
    figure.update_yaxes(row=2, tickformat=".0%")
    return figure


def candidate_colours(candidates: Iterable[str]) -> dict[str, str]:
    """Return a colour per candidate, the same in every chart of the same candidates."""
    return dict(zip(sorted(candidates), cycle(COLOURS), strict=False))


def _point(row: pd.Series[Any], cost: str, *, labelled: bool) -> dict[str, Any]:
    """Return what a scatter trace says of one candidate, with its 95 % interval."""
    name, accuracy = row["candidate"], row["validation_accuracy"]
    return {
        "name": name,
        "x": [row[cost]],
        "y": [accuracy],
        "error_y": {
            "array": [row["validation_accuracy_high"] - accuracy],
            "arrayminus": [accuracy - row["validation_accuracy_low"]],
            "thickness": 1,
        },
        "mode": "markers+text" if labelled else "markers",
        "marker": {"symbol": "star", "size": 16} if row["champion"] else {"size": 9},
        "text": [f"{name} (champion)" if row["champion"] else name],
        "textfont_size": 11,
        "cliponaxis": False,
    }
