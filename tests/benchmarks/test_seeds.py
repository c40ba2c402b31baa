import json

import numpy as np
import pytest

from benchmarks import seeds
from benchmarks.data import read_parameters
from benchmarks.machine import machine_name
from mnist_kedro.classifiers.build import Candidate
from mnist_kedro.classifiers.fit import fit_classifier

NAME = "mlp_64"


def fit(seed, accuracy, **changes):
    found = {"environment": "base", "candidate": "cnn", "machine": "EPYC, 2 cores"}
    found |= {"settings": {"epochs": 4}, "seed": seed, "accuracy": accuracy, "cpu_minutes": 1.5}
    return found | {"date": "2026-11-28"} | changes


def test_parameters_are_those_of_the_environment():
    thorough, base = (read_parameters(name)["candidates"]["cnn"] for name in ("thorough", "base"))
    assert thorough["hyperparameters"]["network"] == base["hyperparameters"]["network"]
    assert thorough["hyperparameters"]["epochs"] > base["hyperparameters"]["epochs"]


def test_each_seed_is_fitted_once_as_the_project_fits_it(tiny_arrays, tmp_path, capsys):
    path = tmp_path / "seeds.jsonl"
    seeds.fit_missing(tiny_arrays, "base", NAME, 2, path)
    first = path.read_text()
    seeds.fit_missing(tiny_arrays, "base", NAME, 3, path)
    assert path.read_text().startswith(first)
    fits = seeds.read_fits(path)
    assert [fit["seed"] for fit in fits] == [0, 1, 2]
    settings = read_parameters()["candidates"][NAME]
    train = tiny_arrays.train_images, tiny_arrays.train_labels
    for fit in fits:
        model, _ = fit_classifier(Candidate.model_validate(settings), fit["seed"], train)
        right = model.predict(tiny_arrays.test_images) == tiny_arrays.test_labels
        assert fit["accuracy"] == np.mean(right)
        assert fit["settings"] == settings
        assert fit["machine"] == machine_name()
    assert capsys.readouterr().out.count("CPU minutes") == 3


@pytest.mark.parametrize("key", ["environment", "candidate", "machine", "settings"])
def test_a_fit_of_something_else_does_not_count(key, tiny_arrays, tmp_path):
    path = tmp_path / "seeds.jsonl"
    seeds.fit_missing(tiny_arrays, "base", "logistic_regression", 1, path)
    (other,) = seeds.read_fits(path)
    path.write_text(json.dumps(other | {key: "another"}) + "\n")
    seeds.fit_missing(tiny_arrays, "base", "logistic_regression", 1, path)
    assert len(seeds.read_fits(path)) == 2


def test_the_summary_has_the_fits_with_the_latest_settings():
    fits = [fit(0, 0.90, settings={"epochs": 1}), fit(0, 0.996), fit(1, 0.997), fit(2, 0.9955)]
    fits.append(fit(0, 0.9, environment="thorough", cpu_minutes=9))
    lines = seeds.summary(fits).splitlines()
    assert lines[2:] == [
        "| base, cnn | 3 | 99.617 % | 0.076 % | 99.550 % | 99.700 % | 1.5 | "
        "EPYC, 2 cores, 2026-11-28 |",
        "| thorough, cnn | 1 | 90.000 % |  | 90.000 % | 90.000 % | 9.0 | "
        "EPYC, 2 cores, 2026-11-28 |",
    ]


def test_nothing_was_fitted_yet(tmp_path):
    assert seeds.read_fits(tmp_path / "seeds.jsonl") == []
    assert len(seeds.summary([]).splitlines()) == 2
