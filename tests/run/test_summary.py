import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset, Version

from mnist_kedro.datasets import CSVDataset, JSONDataset
from mnist_kedro.run.summary import print_summary, run_description, run_name

METRICS = {
    "validation_accuracy": 0.9845,
    "validation_accuracy_low": 0.978,
    "validation_accuracy_high": 0.989,
    "predict_ms_per_image": 0.275,
    "model_bytes": 860_000,
    "fit_seconds": 11.12,
    "data": "MNIST",
}
LEADERBOARD = pd.DataFrame(
    [
        {"candidate": "cnn", "champion": True} | METRICS,
        {"candidate": "mlp_64", "champion": False} | METRICS | {"validation_accuracy": 0.95},
    ]
)
CHAMPION = {"candidate": "cnn", "reason": "cnn is best.", "settings": {}, "data_sha256": "00"}
FINAL_METRICS = {
    "candidate": "cnn",
    "data": "MNIST",
    "n_test": 10_000,
    "test_accuracy": 0.9934,
    "test_accuracy_low": 0.9916,
    "test_accuracy_high": 0.9948,
}


@pytest.fixture
def printed(capsys, monkeypatch, tmp_path):
    """Function that returns what is printed of a run that made these datasets of a catalog."""
    monkeypatch.chdir(tmp_path)

    def summarise(made, *, columns=100, env=None, **saved):
        monkeypatch.setattr("mnist_kedro.run.summary.NARROWEST", columns)
        # Like those of the real catalog, every dataset is known, whether saved or not.
        datasets = {"final_manifest": MemoryDataset()} | {
            name: data if hasattr(data, "resolve_load_version") else MemoryDataset(data)
            for name, data in saved.items()
        }
        print_summary(made, DataCatalog(datasets), env)
        return [line.rstrip() for line in capsys.readouterr().out.splitlines()]

    return summarise


def test_of_a_selection_the_table_the_champion_and_what_next(printed):
    lines = printed(
        {"leaderboard", "champion", "cnn.metrics"}, leaderboard=LEADERBOARD, champion=CHAMPION
    )
    assert lines[1] == "Candidates on MNIST: validation accuracy"
    assert lines[3].split("  ")[0].strip() == "candidate"
    assert lines[5].split() == (
        "cnn 98.45 % 97.80 to 98.90 11.12 s 0.275 ms 0.86 MB".split()  # noqa: SIM905
    )
    assert lines[6].split()[:2] == ["mlp_64", "95.00"]
    assert lines[8:] == [
        "Champion  cnn is best.",
        "Next      kedro run --pipelines=final  fits and tests the champion",
        "          make viz                     shows the DAG, with pictures",
    ]


def test_in_another_environment_the_next_steps_stay_in_it(printed):
    lines = printed({"champion"}, env="fashion_mnist", champion=CHAMPION)
    assert lines == [
        "Champion  cnn is best.",
        "Next      kedro run --env=fashion_mnist --pipelines=final  fits and tests the champion",
    ]
    lines = printed({"final_metrics"}, env="fashion_mnist", final_metrics=FINAL_METRICS)
    assert lines[-1] == "Next      kedro viz run --env=fashion_mnist  shows the DAG, with pictures"


FOLDS = pd.DataFrame(
    [
        {"candidate": "cnn", "mcnemar_p_value": 1.0, "t_test_p_value": 1.0},
        {"candidate": "mlp_64", "mcnemar_p_value": 2.5e-7, "t_test_p_value": 0.012},
    ]
).assign(
    folds=5, images=10_000, fold_accuracy_mean=0.9845, fold_accuracy_std=0.0021, fold_fit_seconds=9
)


def test_of_folds_mean_deviation_and_tests(printed):
    lines = printed({"fold_leaderboard"}, fold_leaderboard=FOLDS)
    assert lines[0] == "In 5 folds of 10,000 images, against cnn"
    assert lines[4].split() == ["cnn", "98.45", "%", "0.21", "%", "1", "1", "9.00", "s"]
    assert lines[5].split() == [
        *("mlp_64", "98.45", "%", "0.21", "%", "2.5e-07", "0.012", "9.00", "s")
    ]


def test_of_candidates_alone_their_metrics_the_most_accurate_first(printed):
    worse = METRICS | {"validation_accuracy": 0.5}
    saved = {"cnn.metrics": worse, "mlp_64.metrics": METRICS}
    lines = printed({*saved, "cnn.model"}, **saved)
    assert [line.split()[0] for line in lines[5:7]] == ["mlp_64", "cnn"]
    assert "*" not in "".join(lines)
    assert lines[8:] == ["Next      kedro run --pipelines=model_selection  compares all candidates"]


@pytest.mark.parametrize(("columns", "last"), [(100, "model"), (62, "per image"), (48, "interval")])
def test_narrow_terminals_get_fewer_columns_and_no_broken_ones(printed, columns, last):
    lines = printed({"leaderboard"}, columns=columns, leaderboard=LEADERBOARD)
    assert lines[3].endswith(last)
    assert "97.80 to 98.90" in lines[5]
    assert "…" not in "".join(lines)
    assert max(map(len, lines)) <= columns


def test_of_the_final_training_the_test_accuracy_and_where_the_report_is(printed):
    card = JSONDataset(filepath="data/card.md", version=Version(None, "now"))
    card.save({})
    made = {"final_metrics", "model_card"}
    lines = printed(made, columns=80, final_metrics=FINAL_METRICS, model_card=card)
    assert lines == [
        "Test      99.34 % (99.16 to 99.48) on 10,000 test images: cnn, fitted on all",
        "          training images of MNIST.",
        "Report    data/card.md/now/card.md",
        "Next      make viz  shows the DAG, with pictures",
    ]


def test_of_a_second_test_its_accuracy(printed):
    extra = {"extra_test": "QMNIST", "n_extra_test": 50_000, "extra_test_accuracy": 0.99}
    extra |= {"extra_test_accuracy_low": 0.985, "extra_test_accuracy_high": 0.995}
    lines = printed({"final_metrics"}, final_metrics=FINAL_METRICS | extra)
    (line,) = (line for line in lines if line.startswith("Extra"))
    assert line == "Extra     99.00 % (98.50 to 99.50) on 50,000 further images, QMNIST."


PREDICTIONS = pd.DataFrame(
    {
        "file": ["three.png", "blank[.png"],
        "prediction": pd.array([3, None], dtype="Int64"),
        "class_name": ["three", None],
        "confidence": [0.9875, None],
        "second_prediction": pd.array([8, None], dtype="Int64"),
        "second_class_name": ["eight", None],
        "second_confidence": [0.0125, None],
        "warning": [None, "expected a digit, found a blank picture"],
    }
)


MANIFEST = {"candidate": "mlp", "data": "MNIST"}


def reader(manifests, asked=None):
    """What says which model reads: the one that was asked for, or the champion."""
    return {
        "promotion": {"champion": {"version": "new"}},
        "final_manifests": manifests,
        "params:inference.model_version": asked,
    }


@pytest.fixture
def saved_in(tmp_path, monkeypatch):
    """Function that saves a dataset under one version, and returns it as of that version."""
    monkeypatch.chdir(tmp_path)

    def dataset(kind, name, version, data, **options):
        kind(filepath=str(tmp_path / name), version=Version(None, version), **options).save(data)
        return kind(filepath=str(tmp_path / name), version=Version(version, None), **options)

    return dataset


@pytest.mark.parametrize(("asked", "version"), [(None, "new"), ("old", "old")])
def test_of_inference_the_number_the_model_and_the_files(printed, saved_in, asked, version):
    manifests = {"new": lambda: MANIFEST, "old": lambda: MANIFEST | {"candidate": "cnn"}}
    lines = printed(
        {"predictions"},
        columns=40,
        predictions=saved_in(
            *(CSVDataset, "predictions.csv", "now"),
            PREDICTIONS.assign(file="test_images#1", warning=None),
        ),
        contact_sheet=saved_in(JSONDataset, "contact_sheet.png", "now", {}),
        **reader(manifests, asked),
    )
    assert lines == [
        f"Predicted 1 of 2 images, by {manifests[version]()['candidate']} fitted",
        f"          on MNIST, version {version}.",
        "File      predictions.csv/now/predictions.csv",
        "Pictures  contact_sheet.png/now/contact_sheet.png",
    ]


@pytest.mark.parametrize("alias", ["champion", "challenger"])
def test_of_a_decision_the_reason_and_how_to_change_it(printed, alias):
    decision = {"data": "MNIST", "version": "2", "alias": alias, "reason": "it is worse than 1"}
    lines = printed({"promotion"}, promotion=decision | {"champion": {"version": "1"}})
    first, *rest = " ".join(map(str.strip, lines)).split(". ")
    assert (
        first.split(maxsplit=1)[1].rstrip(".")
        == f"version 2 is the {alias} of MNIST: it is worse than 1"
    )
    assert rest == (
        []
        if alias == "champion"
        else [
            "`kedro promote 2` would make it the champion; until then, `kedro demo` and "
            "`inference` use version 1."
        ]
    )


def test_of_somebodys_pictures_what_each_shows(printed, saved_in):
    lines = printed(
        {"predictions"},
        predictions=saved_in(
            *(CSVDataset, "predictions.csv", "now", PREDICTIONS),
            load_args={"dtype": {"prediction": "Int64", "second_prediction": "Int64"}},
        ),
        contact_sheet=MemoryDataset(),
        **reader({"new": lambda: MANIFEST}),
    )
    rows = [line.split() for line in lines if ".png" in line]
    assert rows == [
        ["three.png", "three", "98.75", "%", "eight"],
        ["blank[.png", "expected", "a", "digit,", "found", "a", "blank", "picture"],
    ]
    assert "Warnings  1 of them: see the table or the file." in lines


def test_a_data_set_may_have_any_name(printed):
    board, metrics = LEADERBOARD.assign(data="digits[/old]"), FINAL_METRICS | {"data": "d[/old]"}
    text = "\n".join(
        printed({"leaderboard", "final_metrics"}, leaderboard=board, final_metrics=metrics)
    )
    assert "Candidates on digits[/old]" in text
    assert "d[/old]." in text


@pytest.mark.parametrize(
    ("asked", "found", "says"),
    [("auto", "embedded", True), ("embedded", "embedded", False), ("auto", "mirror", False)],
)
def test_the_last_line_says_that_the_data_are_not_those_asked_for(printed, asked, found, says):
    lines = printed(
        {"dataset_profile", "final_metrics"},
        final_metrics=FINAL_METRICS,
        dataset_profile={"name": "embedded digits (not MNIST)", "source": found},
        **{"params:data_ingestion.source": asked},
    )
    said = "Mind these are embedded digits (not MNIST), since no mirror could be reached. Run again"
    assert (said in " ".join(" ".join(lines[-2:]).split())) is says


def test_nothing_is_printed_of_a_run_that_made_none_of_it(printed):
    assert printed({"splits", "cnn.model"}) == []


@pytest.mark.parametrize(
    ("made", "asked", "name"),
    [
        ({"splits", "leaderboard", "champion", "final_metrics"}, [], "3 images · cnn 98.45 %"),
        ({"leaderboard", "champion"}, ["model_selection"], "model_selection · cnn 98.45 %"),
        ({"final_metrics"}, ["final"], "final · cnn 99.34 % test"),
        ({"mlp_64.metrics"}, ["mlp_64"], "mlp_64 98.45 %"),
        ({"mlp_64.metrics"}, ["data_split", "mlp_64"], "data_split, mlp_64 98.45 %"),
        ({"mlp_64.metrics"}, ["model_training"], "model_training · mlp_64 98.45 %"),
        ({"fold_leaderboard"}, ["cross_validation"], "cross_validation"),
        ({"splits"}, [], "3 images"),
    ],
)
def test_the_name_of_a_run_says_what_ran_and_what_came_out(made, asked, name):
    saved = {
        "splits": pd.DataFrame({"index": range(3)}),
        "leaderboard": LEADERBOARD,
        "champion": CHAMPION | METRICS,
        "final_metrics": FINAL_METRICS,
        "mlp_64.metrics": METRICS,
    }
    catalog = DataCatalog({key: MemoryDataset(value) for key, value in saved.items()})
    assert run_name(made, catalog, "MNIST", asked) == f"MNIST · {name}"


def test_without_a_champion_the_description_says_who_is_best():
    catalog = DataCatalog({"mlp_64.metrics": MemoryDataset(METRICS)})
    assert run_description({"mlp_64.metrics"}, catalog) == (
        "mlp_64 reads 98.45 % (97.80 to 98.90) of the validation images. "
        "This run chose no champion.\n\n"
        "| candidate | accuracy | 95 % interval | fit | per image | model |\n"
        "| --- | --- | --- | --- | --- | --- |\n"
        "| mlp_64 | 98.45 % | 97.80 to 98.90 | 11.12 s | 0.275 ms | 0.86 MB |"
    )
    assert run_description({"splits"}, catalog) == ""
