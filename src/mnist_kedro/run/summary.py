"""The end of a run, as people want to read it: candidates, champion, test accuracy, what next."""

from __future__ import annotations

import sys
from itertools import islice
from pathlib import Path
from textwrap import TextWrapper
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from mnist_kedro.datasets.files import FileDataset
from mnist_kedro.evaluation.metrics import accuracy_text, interval_text, percent

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Iterable, Mapping, Sequence

    from kedro.io import DataCatalog
    from rich.console import JustifyMethod

    from mnist_kedro.lazy import pd

LABEL = 10  # columns that a label takes
PREDICTIONS = 20  # that are printed, the first ones
LEFT = {"candidate", "version", "data", "alias", "file", "warning"}  # all other columns stand right
WRAPPED = {"data", "file", "warning"}  # columns
NARROWEST = 100  # columns; what is piped into a file has no width of its own


def print_summary(made: Collection[str], catalog: DataCatalog, env: str | None = None) -> None:
    """Print to standard output what a run came to, and where to look next.

    Args:
        made: Names of the datasets that the run made.
        catalog: Of the run: it loads the versions that the run read and wrote.
        env: In which it ran, if not in the default one.
    """
    run = f"kedro run --env={env}" if env else "kedro run"
    viz = {f"kedro viz run --env={env}" if env else "make viz": "shows the DAG, with pictures"}
    console = _console()
    next_steps: dict[str, str] = {}
    if candidates := _candidates(made, catalog):
        data = escape(candidates[0]["data"])
        console.print(f"\n[bold]Candidates on {data}[/]: validation accuracy")
        console.print(_candidates_table(candidates, console))
        compare = {f"{run} --pipelines=model_selection": "compares all candidates"}
        next_steps |= viz if "champion" in made else compare
    if "fold_leaderboard" in made:
        board = catalog.load("fold_leaderboard")
        title = "In {folds} folds of {images:,} images, against {candidate}".format(**board.iloc[0])
        console.print(escape(title))
        console.print(_folds_table(board))
    if "champion" in made:
        champion = catalog.load("champion")
        _say(console, "Champion", champion["reason"])
        if "final_metrics" not in made:
            refit = {f"{run} --pipelines=final": "fits and tests the champion"}
            next_steps = refit | next_steps
    if "final_metrics" in made:
        next_steps = viz
        _say_test(console, catalog.load("final_metrics"))
    elif "predictions" in made:
        _say_predictions(console, catalog)
    if "promotion" in made:
        _say_promotion(console, catalog.load("promotion"))
    _say_extras(console, made, catalog)
    if "model_card" in made:
        _say_path(console, "Report", catalog, "model_card")
    if "final_report" in made:
        _say_path(console, "Mistakes", catalog, "final_report")
    _say_pairs(console, "Next", next_steps)
    if "dataset_profile" in made:
        _say_if_fallback(console, catalog)


def _say_pairs(console: Console, label: str, pairs: Mapping[str, str]) -> None:
    """Print, under one label, texts beside their names."""
    width = max(map(len, pairs), default=0)
    for n, (name, text) in enumerate(pairs.items()):
        _say(console, "" if n else label, f"{name:{width}}  {text}")


def run_name(made: Collection[str], catalog: DataCatalog, data: str, asked: Sequence[str]) -> str:
    """Return what a run did, and what came out: `MNIST · 10,000 images · cnn 98.70 %`.

    Args:
        made: Names of the datasets that the run made.
        catalog: Of the run.
        data: Name of its data set.
        asked: Pipelines or namespaces, if only some were asked for.
    """
    rows = {row["candidate"]: _score(row, "validation") for row in _candidates(made, catalog)}
    if not asked and "splits" in made:
        asked = [f"{len(catalog.load('splits')):,} images"]
    if "champion" in made:
        result = _score(catalog.load("champion"), "validation")
    elif "final_metrics" in made:
        result = f"{_score(catalog.load('final_metrics'), 'test')} test"
    else:
        result = "" if rows.keys() & set(asked) else next(iter(rows.values()), "")
    what = ", ".join(rows.get(name, name) for name in asked)
    return " · ".join(filter(None, (data, what, result)))


def run_description(made: Collection[str], catalog: DataCatalog, reason: str = "") -> str:
    """Return, in Markdown, why a run failed or what came out, and the table of its candidates."""
    rows, sentences = _candidates(made, catalog), [reason]
    if "champion" in made:
        sentences.append(catalog.load("champion")["reason"])
    elif rows and not reason:
        best = f"{rows[0]['candidate']} reads {accuracy_text(rows[0], 'validation')}"
        sentences.append(f"{best} of the validation images. This run chose no champion.")
    if "final_metrics" in made:
        metrics = catalog.load("final_metrics")
        on = f"{metrics['n_test']:,} test images"
        sentences.append(f"The final model reads {accuracy_text(metrics, 'test')} of {on}.")
    columns = _columns(rows)
    lines = [list(columns), ["---"] * len(columns), *zip(*columns.values(), strict=True)]
    table = [f"| {' | '.join(line)} |" for line in lines] if rows else []
    return "\n".join((" ".join(filter(None, sentences)), "", *table)).strip()


def _score(metrics: Mapping[Any, Any], split: str) -> str:
    return f"{metrics['candidate']} {percent(metrics[f'{split}_accuracy'])}"


def _console() -> Console:
    return Console(width=None if Console().is_terminal else NARROWEST, highlight=False)


def print_models(models: pd.DataFrame) -> None:
    """Print a table of final models, as `promotion.list_models` returns them."""
    console = _console()
    columns = {name: models[name] for name in ("version", "data", "candidate")}
    columns |= {split: models[f"{split}_accuracy"].map(percent) for split in ("validation", "test")}
    champions = models.index[models["alias"] == "champion"]
    console.print(_table(columns | {"alias": models["alias"]}, champions))
    _say(console, "Promote", "kedro promote VERSION  makes that model the champion of its data set")


def _candidates(made: Collection[str], catalog: DataCatalog) -> Sequence[Mapping[Any, Any]]:
    """Return the leaderboard's rows or, in a run that made none, those of what it trained."""
    if "leaderboard" in made:
        leaderboard: pd.DataFrame = catalog.load("leaderboard")
        return leaderboard.to_dict("records")
    trained = [name for name in made if name.endswith(".metrics")]
    rows = [{"candidate": name.rpartition(".")[0], **catalog.load(name)} for name in trained]
    return sorted(rows, key=lambda row: (-row["validation_accuracy"], row["candidate"]))


def _columns(rows: Sequence[Mapping[Any, Any]]) -> dict[str, list[str]]:
    """Return these rows as people read them: the columns of a table, by its headings."""
    return {
        "candidate": [row["candidate"] for row in rows],
        "accuracy": [percent(row["validation_accuracy"]) for row in rows],
        "95 % interval": [interval_text(row, "validation") for row in rows],
        "fit": [f"{row['fit_seconds']:,.2f} s" for row in rows],
        "per image": [f"{row['predict_ms_per_image']:.3f} ms" for row in rows],
        "model": [f"{row['model_bytes'] / 1e6:,.2f} MB" for row in rows],
    }


def _candidates_table(rows: Sequence[Mapping[Any, Any]], console: Console) -> Table:
    """Return the table, with as many of its columns, from the left, as are not too wide."""
    columns = _columns(rows)
    champions = [n for n, row in enumerate(rows) if row.get("champion")]
    unlimited = console.options.update(width=sys.maxsize)
    for count in range(len(columns), 2, -1):
        table = _table(dict(islice(columns.items(), count)), champions)
        if console.measure(table, options=unlimited).maximum <= console.width:
            break
    return table


def _table(columns: Mapping[str, Iterable[str]], champions: Container[int] = ()) -> Table:
    """Return a table, by the headings of its columns; the rows of champions are bold and green."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in columns:
        justify: JustifyMethod = "left" if name in LEFT else "right"
        table.add_column(name, justify=justify, no_wrap=name not in WRAPPED)
    for n, cells in enumerate(zip(*columns.values(), strict=True)):
        table.add_row(*map(escape, cells), style="bold green" if n in champions else "")
    return table


def _say_if_fallback(console: Console, catalog: DataCatalog) -> None:
    """Say so if the data are not those that were asked for."""
    source, profile = catalog.load("params:data_ingestion.source"), catalog.load("dataset_profile")
    if source == "auto" and profile["source"] == "embedded":
        text = (
            "these are {name}, since no mirror could be reached. Run again with a network, or with "
            "--params data_ingestion.source=<a folder that has the files>."
        )
        _say(console, "Mind", text.format_map(profile))


def _say_test(console: Console, metrics: Mapping[str, Any]) -> None:
    on = f"{accuracy_text(metrics, 'test')} on {metrics['n_test']:,} test images"
    who = f"{metrics['candidate']}, fitted on all training images of {metrics['data']}"
    _say(console, "Test", f"{on}: {who}.")
    if name := metrics.get("extra_test"):
        on = f"{accuracy_text(metrics, 'extra_test')} on {metrics['n_extra_test']:,} further images"
        _say(console, "Extra", f"{on}, {name}.")


def _say_promotion(console: Console, promotion: Mapping[str, Any]) -> None:
    """Say whether the final model is the champion of its data set and, if not, what reads now."""
    text = "version {version} is the {alias} of {data}: {reason}."
    if promotion["alias"] == "challenger":
        text += (
            " `kedro promote {version}` would make it the champion; until then, `kedro demo` and "
            "`inference` use version {champion[version]}."
        )
    _say(console, "Model", text.format_map(promotion))


def _say_extras(console: Console, made: Collection[str], catalog: DataCatalog) -> None:
    if "tuning_trials" in made:
        _say_trials(console, catalog.load("tuning_trials"))
    if "tuning_chart" in made:
        _say_path(console, "Chart", catalog, "tuning_chart")
    if "test_leaderboard" in made:
        rows = catalog.load("test_leaderboard").to_dict("records")
        tests = {row["candidate"]: accuracy_text(row, "test") for row in rows}
        _say_pairs(console, "Test", tests)


def _say_trials(console: Console, trials: pd.DataFrame) -> None:
    best = trials.iloc[0].to_dict()
    pruned = int((trials["state"] == "pruned").sum())
    of = f"{len(trials)} networks, {pruned} of them pruned, on the images that chose it"
    what = f"hidden units {best['candidate']}, {accuracy_text(best, 'validation')}"
    _say(console, "Best", f"of {of}: {what}, {best['fit_seconds']:.1f} s.")


def _say_predictions(console: Console, catalog: DataCatalog) -> None:
    predictions = catalog.load("predictions")
    version = catalog.load("params:inference.model_version")
    version = version or catalog.load("promotion")["champion"]["version"]
    manifest = catalog.load("final_manifests")[version]()
    if not predictions["file"].str.startswith("test_images#").all():
        console.print(_predictions_table(predictions.head(PREDICTIONS)))
    count = f"{predictions['prediction'].count():,} of {len(predictions):,} images"
    _say(console, "Predicted", f"{count}, by {_of(manifest)}, version {version}.")
    if odd := int(predictions["warning"].count()):
        _say(console, "Warnings", f"{odd:,} of them: see the table or the file.")
    _say_path(console, "File", catalog, "predictions")
    _say_path(console, "Pictures", catalog, "contact_sheet")


def _of(manifest: Mapping[str, Any]) -> str:
    return f"{manifest['candidate']} fitted on {manifest['data']}"


def _say_path(console: Console, label: str, catalog: DataCatalog, name: str) -> None:
    """Print where a dataset is, from the working directory or as an address."""
    dataset = catalog[name]
    if isinstance(dataset, FileDataset):
        place, here = dataset.place(), f"{Path.cwd()}/"
        _say(console, label, place.removeprefix(here))


def _say(console: Console, label: str, text: str) -> None:
    """Print a labelled text, its lines under each other; paths and options stay in one piece."""
    indent = " " * LABEL
    wrap = TextWrapper(console.width, label.ljust(LABEL), indent, break_long_words=False)
    wrap.break_on_hyphens = False
    lines = Text(wrap.fill(text))
    lines.stylize("bold", 0, len(label))
    console.print(lines, soft_wrap=True)


def _folds_table(board: pd.DataFrame) -> Table:
    """Return the table of candidates over folds, from the `fold_leaderboard`."""
    return _table(
        {
            "candidate": board["candidate"],
            "mean": board["fold_accuracy_mean"].map(percent),
            "std": board["fold_accuracy_std"].map(percent),
            "McNemar's p": board["mcnemar_p_value"].map("{:.2g}".format),
            "t-test's p": board["t_test_p_value"].map("{:.2g}".format).replace("nan", "-"),
            "fit": board["fold_fit_seconds"].map("{:,.2f} s".format),
        }
    )


def _predictions_table(predictions: pd.DataFrame) -> Table:
    """Return the table of what was read in somebody's pictures."""
    columns = {
        "file": predictions["file"],
        "prediction": predictions["class_name"],
        "confidence": predictions["confidence"].map(percent, na_action="ignore"),
        "second": predictions["second_class_name"],
        "warning": predictions["warning"],
    }
    return _table({name: texts.astype(object).fillna("") for name, texts in columns.items()})
