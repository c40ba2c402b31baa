import pandas as pd
import pytest

from mnist_kedro.evaluation.charts import (
    COLOURS,
    COSTS,
    candidate_colours,
    chart_accuracy_against_cost,
    chart_learning_curves,
    pareto_front,
)
from mnist_kedro.pipelines.model_selection.nodes import ModelSelectionParameters

BOARD = pd.DataFrame(
    {
        "candidate": ["dear", "good", "waste", "cheap"],
        "champion": [False, True, False, False],
        "validation_accuracy": [0.98, 0.95, 0.94, 0.8],
        "validation_accuracy_low": [0.97, 0.93, 0.92, 0.75],
        "validation_accuracy_high": [0.985, 0.96, 0.95, 0.84],
        "fit_seconds": [100.0, 4.0, 9.0, 1.0],
        "model_bytes": [10, 10, 20, 5],
        "data": "digits",
    }
)


def traces(figure):
    return {trace.name: trace for trace in figure.data}


def history(*losses):
    epochs = range(1, len(losses) + 1)
    accuracy = [1 - loss / 2 for loss in losses]
    return pd.DataFrame({"epoch": epochs, "train_loss": losses, "validation_accuracy": accuracy})


def test_candidates_stand_at_cost_and_accuracy_beside_the_front():
    figure = chart_accuracy_against_cost(BOARD, "fit_seconds")
    found = traces(figure)
    assert {name: (trace.x, trace.y) for name, trace in found.items()} == {
        "Pareto front": ((1, 4, 100), (0.8, 0.95, 0.98)),
        "dear": ((100,), (0.98,)),
        "good": ((4,), (0.95,)),
        "waste": ((9,), (0.94,)),
        "cheap": ((1,), (0.8,)),
    }
    error = found["cheap"].error_y
    assert (*error.array, *error.arrayminus) == pytest.approx((0.04, 0.05))
    symbols = {name: found[name].marker.symbol for name in BOARD["candidate"]}
    assert symbols == {"dear": None, "good": "star", "waste": None, "cheap": None}
    labels = [found[name].text[0] for name in BOARD["candidate"]]
    assert labels == ["dear", "good (champion)", "waste", "cheap"]
    axes = figure.layout.xaxis, figure.layout.yaxis
    assert [axis.title.text for axis in axes] == ["time to fit (s)", "validation accuracy"]
    assert axes[0].type == "log"
    assert figure.layout.title.text == "What accuracy costs on digits"


def test_the_front_has_the_more_accurate_of_equal_costs_and_whoever_is_best_alone():
    assert list(pareto_front(BOARD, "model_bytes")["candidate"]) == ["cheap", "dear"]
    front = pareto_front(BOARD.assign(fit_seconds=[1, 2, 3, 4]), "fit_seconds")
    assert list(front["candidate"]) == ["dear"]


def test_of_many_candidates_only_the_front_is_labelled():
    many = pd.concat([BOARD, *[BOARD[2:3].assign(candidate=f"waste_{n}") for n in range(9)]])
    modes = {
        trace.name: trace.mode
        for trace in chart_accuracy_against_cost(many.reset_index(drop=True), "fit_seconds").data
    }
    labelled = {name for name, mode in modes.items() if "text" in mode}
    assert labelled == {"cheap", "good", "dear"}


def test_every_cost_that_may_be_chosen_has_an_axis_title():
    costs = ModelSelectionParameters.model_fields["cost"].annotation.__args__
    assert set(costs) == set(COSTS)


def test_loss_stands_above_accuracy_with_one_colour_per_candidate():
    figure = chart_learning_curves(a=history(1.0, 0.5), forest=history(0.2), b=history(0.8, 0.4))
    assert [(trace.name, trace.yaxis, trace.x, trace.y) for trace in figure.data] == [
        ("a", "y", (1, 2), (1.0, 0.5)),
        ("b", "y", (1, 2), (0.8, 0.4)),
        ("a", "y2", (1, 2), (0.5, 0.75)),
        ("b", "y2", (1, 2), (0.6, 0.8)),
    ]
    assert figure.layout.yaxis.domain[0] > figure.layout.yaxis2.domain[1]
    assert [trace.line.color for trace in figure.data] == [COLOURS[0], COLOURS[1]] * 2
    assert [trace.showlegend for trace in figure.data] == [True, True, False, False]


def test_a_candidate_has_the_same_colour_in_both_charts():
    points = traces(chart_accuracy_against_cost(BOARD, "fit_seconds"))
    names = reversed(BOARD["candidate"])
    curves = traces(chart_learning_curves(**{name: history(1.0, 0.5) for name in names}))
    for name in BOARD["candidate"]:
        assert points[name].marker.color == curves[name].line.color


def test_without_epochs_the_title_says_so():
    figure = chart_learning_curves(forest=history(0.2))
    assert not figure.data
    assert figure.layout.title.text == "No candidate learned in epochs."
    assert not figure.layout.xaxis.visible


def test_more_candidates_than_colours_begin_anew():
    colours = candidate_colours(map(str, range(7)))
    assert colours["6"] == colours["0"] == COLOURS[0]
    assert len(set(colours.values())) == len(COLOURS)
