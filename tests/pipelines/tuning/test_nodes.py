from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import optuna
import pandas as pd
import pytest

from mnist_kedro.evaluation.metrics import wilson_interval
from mnist_kedro.pipelines.tuning.nodes import TuningParameters, chart_trials, search_networks

COLUMNS = {
    *("trial", "state", "candidate", "learning_rate", "n_parameters", "fit_seconds"),
    *("validation_accuracy", "validation_accuracy_low", "validation_accuracy_high", "data"),
}


@pytest.fixture
def parameters(tmp_path):
    """Function that returns the parameters of small networks, with changes."""
    values = {
        "trials": 2,
        "workers": 1,
        "storage": f"sqlite:///{tmp_path / 'optuna.db'}",
        "seed": 0,
        "hidden_layers": (1, 2),
        "hidden_units": (4, 32),
        "learning_rate": (0.001, 0.03),
        "epochs": 2,
        "hyperparameters": {},
    }
    return lambda **changes: TuningParameters.model_validate(values | changes)


def test_every_trial_is_a_row_the_most_accurate_first(data, parameters):
    _, _, splits, _ = data
    table = search_networks(*data, parameters(trials=3))
    assert set(table) == COLUMNS
    assert sorted(table["trial"]) == [0, 1, 2]
    assert table["validation_accuracy"].is_monotonic_decreasing
    assert table["learning_rate"].between(0.001, 0.03).all()
    validated = (splits["split"] == "validation").sum()
    best = table.iloc[0]
    right = round(best["validation_accuracy"] * validated)
    ends = best[["validation_accuracy_low", "validation_accuracy_high"]]
    assert tuple(ends) == wilson_interval(right, validated)
    units = [int(each) for each in best["candidate"].split("-")]
    sizes = [784, *units, 10]
    assert best["n_parameters"] == sum((a + 1) * b for a, b in pairwise(sizes))


def test_a_search_goes_on_where_it_was_and_ends_at_the_number_asked_for(data, parameters):
    first = search_networks(*data, parameters(trials=1))
    more = search_networks(*data, parameters(trials=3))
    assert len(more) == 3
    again = search_networks(*data, parameters(trials=2))  # which are there
    pd.testing.assert_frame_equal(again, more)
    kept = more[more["trial"] == 0].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, first)
    assert more["learning_rate"].is_unique  # the seed does not repeat itself


def test_other_data_or_ranges_begin_a_search_of_their_own(data, parameters):
    images, labels, splits, profile = data
    search_networks(*data, parameters(trials=1))
    fewer = splits.iloc[:-100]
    assert len(search_networks(images, labels, fewer, profile, parameters(trials=1))) == 1
    table = search_networks(*data, parameters(trials=1, hidden_units=(8,)))
    assert set(table["candidate"].iloc[0].split("-")) == {"8"}


def test_a_search_that_was_interrupted_tries_what_it_would_have_tried(data, parameters, tmp_path):
    tried = ["trial", "candidate", "learning_rate", "validation_accuracy"]
    whole = search_networks(*data, parameters(trials=3))
    elsewhere = f"sqlite:///{tmp_path / 'other.db'}"
    for trials in (1, 3):
        parts = search_networks(*data, parameters(trials=trials, storage=elsewhere))
    pd.testing.assert_frame_equal(parts[tried], whole[tried])


def test_workers_share_a_search_and_try_as_many_networks_as_one(data, parameters):
    search_networks(*data, parameters(trials=1))
    table = search_networks(*data, parameters(trials=4, workers=2))
    assert sorted(table["trial"]) == [0, 1, 2, 3]
    assert table["learning_rate"].is_unique


def test_runs_with_one_storage_share_a_search(data, parameters):
    search_networks(*data, parameters(trials=1))
    with ThreadPoolExecutor(2) as machines:
        runs = [machines.submit(search_networks, *data, parameters(trials=4)) for _ in range(2)]
    longest = max((run.result() for run in runs), key=len)
    assert 4 <= len(longest) <= 5  # each ends what it has begun
    assert longest["learning_rate"].is_unique


def test_trials_worse_than_the_median_are_pruned_early_and_not_drawn(data, parameters, monkeypatch):
    monkeypatch.setattr("mnist_kedro.pipelines.tuning.nodes.UNPRUNED_TRIALS", 2)
    changed = parameters(trials=8, epochs=6)
    table = search_networks(*data, changed)
    assert table["state"].is_monotonic_increasing  # complete ones first
    pruned = table["state"] == "pruned"
    assert 0 < pruned.sum() <= 6
    (study,) = optuna.get_all_study_summaries(changed.storage)
    trials = optuna.load_study(study_name=study.study_name, storage=changed.storage).trials
    epochs = [len(trials[n].intermediate_values) for n in table[pruned]["trial"]]
    assert all(3 < n < 6 for n in epochs)  # in the second half, not after the last
    drawn = {trace.name for trace in chart_trials(table).data}
    assert drawn == {"Pareto front", *table[~pruned]["candidate"]}


def test_a_trial_that_diverges_ends_and_the_search_goes_on(data, parameters):
    table = search_networks(*data, parameters(learning_rate=(1e30, 1e30)))
    assert table["state"].tolist() == ["pruned"] * 2
    assert table["validation_accuracy"].tolist() == [0.0] * 2


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"hidden_layers": (3, 1)}, r"expected 'hidden_layers' from low to high, found \[3, 1\]"),
        ({"learning_rate": (0.1, 0.01)}, "expected 'learning_rate' from low to high"),
        ({"hidden_units": ()}, "hidden_units"),
        ({"hyperparameters": {"epohcs": 1}}, "did you mean 'epochs'"),
    ],
)
def test_what_cannot_be_tried_is_refused_before_anything_runs(parameters, wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        parameters(**wrong)


def test_options_that_do_not_vary_are_kept(parameters):
    options = {"network_options": {"dropout": 0.3}}
    candidate = parameters(hyperparameters=options).candidate([8], 0.01)
    assert candidate.hyperparameters["network_options"] == {"dropout": 0.3, "hidden_units": [8]}
