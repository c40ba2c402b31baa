"""The end of a run, as people want to read it: candidates, champion, test accuracy, what next."""

from __future__ import annotations

import sys
from pathlib import Path
from textwrap import TextWrapper
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from mnist_kedro.evaluation.metrics import accuracy_text, interval_text, percent
from mnist_kedro.run.tables import folds_table, predictions_table

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from mnist_kedro.lazy import pd
    from mnist_kedro.run.saved import Saved

LABEL = 10  # columns that a label takes
PREDICTIONS = 20  # that are printed, the first ones
NARROWEST = 100  # columns; what is piped into a file has no width of its own
MLFLOW = {"make ui": "compares runs in MLflow's UI"}
MODEL = ("candidate", "settings", "data_sha256")  # what makes a final model that of a champion


def print_summary(made: Collection[str], saved: Saved, env: str | None = None) -> None:
    """Print to standard output what a run came to, and where to look next.

    Args:
        made: Names of the datasets that the run made.
        saved: Has them.
        env: In which it ran, if not in the default one.
    """
    run = f"kedro run --env={env}" if env else "kedro run"
    viz = {f"kedro viz run --env={env}" if env else "make viz": "shows the DAG, with pictures"}
    console = Console(width=None if Console().is_terminal else NARROWEST, highlight=False)
    look = MLFLOW | viz if Path("mlflow.db").exists() else viz
    next_steps: dict[str, str] = {}
    if candidates := _candidates(made, saved):
        data = escape(candidates[0]["data"])
        console.print(f"\n[bold]Candidates on {data}[/]: validation accuracy")
        console.print(_candidates_table(candidates, console))
        if "fold_leaderboard" in made:
            console.print(folds_table(saved.load("fold_leaderboard")))
        compare = {f"{run} --pipelines=model_selection": "compares all candidates"}
        next_steps |= look if "champion" in made else compare
    if "champion" in made:
        champion = saved.load("champion")
        _say(console, "Champion", champion["reason"])
        if "final_metrics" not in made:
            refit = {f"{run} --pipelines=final": "fits and tests the champion"}
            next_steps = refit | next_steps
            _say_if_stale(console, champion, saved)
    if "final_metrics" in made:
        next_steps = look
        _say_test(console, saved.load("final_metrics"))
    elif "predictions" in made:
        _say_predictions(console, saved)
    _say_extras(console, made, saved)
    if "model_card" in made:
        _say_path(console, "Report", saved, "model_card")
    width = max(map(len, next_steps), default=0)
    for n, (command, what) in enumerate(next_steps.items()):
        _say(console, "" if n else "Next", f"{command:{width}}  {what}")


def _candidates(made: Collection[str], saved: Saved) -> Sequence[Mapping[Any, Any]]:
    """Return the leaderboard's rows or, in a run that made none, those of what it trained."""
    if "leaderboard" in made:
        leaderboard: pd.DataFrame = saved.load("leaderboard")
        return leaderboard.to_dict("records")
    trained = [name for name in made if name.endswith(".metrics")]
    rows = [{"candidate": name.rpartition(".")[0], **saved.load(name)} for name in trained]
    return sorted(rows, key=lambda row: (-row["validation_accuracy"], row["candidate"]))


def _candidates_table(rows: Sequence[Mapping[Any, Any]], console: Console) -> Table:
    """Return the table, with as many of its columns, from the left, as are not too wide."""
    columns = {
        "candidate": [escape(row["candidate"]) + " *" * bool(row.get("champion")) for row in rows],
        "accuracy": [percent(row["validation_accuracy"]) for row in rows],
        "95 % interval": [interval_text(row, "validation") for row in rows],
        "fit": [f"{row['fit_seconds']:,.2f} s" for row in rows],
        "per image": [f"{row['predict_ms_per_image']:.3f} ms" for row in rows],
        "model": [f"{row['model_bytes'] / 1e6:,.2f} MB" for row in rows],
    }
    bold = ["bold green" if row.get("champion") else "" for row in rows]
    unlimited = console.options.update(width=sys.maxsize)
    for count in range(len(columns), 2, -1):
        table = Table(box=SIMPLE_HEAD, pad_edge=False)
        for name in list(columns)[:count]:
            table.add_column(name, justify="left" if name == "candidate" else "right", no_wrap=True)
        for style, *cells in zip(bold, *list(columns.values())[:count], strict=True):
            table.add_row(*cells, style=style)
        if console.measure(table, options=unlimited).maximum <= console.width:
            break
    return table


def _say_if_stale(console: Console, champion: Mapping[str, Any], saved: Saved) -> None:
    """Say so if there is a final model, and it is of another champion."""
    if not saved.catalog.exists("final_manifest"):
        return
    manifest = saved.load("final_manifest")
    if any(manifest[key] != champion[key] for key in MODEL):
        who = f"an earlier champion, {_of(manifest)}"
        _say(console, "Stale", f"final_model is still that of {who}.")


def _say_test(console: Console, metrics: Mapping[str, Any]) -> None:
    on = f"{accuracy_text(metrics, 'test')} on {metrics['n_test']:,} test images"
    who = f"{metrics['candidate']}, fitted on all training images of {metrics['data']}"
    _say(console, "Test", f"{on}: {who}.")
    if name := metrics.get("extra_test"):
        on = f"{accuracy_text(metrics, 'extra_test')} on {metrics['n_extra_test']:,} further images"
        _say(console, "Extra", f"{on}, {name}.")


def _say_extras(console: Console, made: Collection[str], saved: Saved) -> None:
    if "tuning_trials" in made:
        _say_trials(console, saved.load("tuning_trials"))
    if "tuning_chart" in made:
        _say_path(console, "Chart", saved, "tuning_chart")
    if "test_leaderboard" in made:
        _say_tests(console, saved.load("test_leaderboard"))


def _say_tests(console: Console, table: pd.DataFrame) -> None:
    width = table["candidate"].str.len().max()
    for n, row in enumerate(table.to_dict("records")):
        _say(
            console,
            "" if n else "Test",
            f"{row['candidate']:{width}}  {accuracy_text(row, 'test')}",
        )


def _say_trials(console: Console, trials: pd.DataFrame) -> None:
    best = trials.iloc[0].to_dict()
    pruned = int((trials["state"] == "pruned").sum())
    of = f"{len(trials)} networks, {pruned} of them pruned, on the images that chose it"
    what = f"hidden units {best['candidate']}, {accuracy_text(best, 'validation')}"
    _say(console, "Best", f"of {of}: {what}, {best['fit_seconds']:.1f} s.")


def _say_predictions(console: Console, saved: Saved) -> None:
    predictions = saved.load("predictions")
    who = "final_model"
    known = saved.catalog.exists("final_manifest")
    # With --load-versions the latest manifest may be that of another model.
    if known and saved.version("final_manifest") == saved.version(who):
        who = f"{who}, {_of(saved.load('final_manifest'))}"
    if not predictions["file"].str.startswith("test_images#").all():
        console.print(predictions_table(predictions.head(PREDICTIONS)))
    count = f"{predictions['label'].count():,} of {len(predictions):,} images"
    _say(console, "Predicted", f"{count}, by {who}.")
    if odd := int(predictions["warning"].count()):
        _say(console, "Odd", f"{odd:,} with a warning.")
    _say_path(console, "File", saved, "predictions")
    _say_path(console, "Pictures", saved, "contact_sheet")


def _of(manifest: Mapping[str, Any]) -> str:
    return f"{manifest['candidate']} fitted on {manifest['data']}"


def _say_path(console: Console, label: str, saved: Saved, name: str) -> None:
    """Print where a dataset is."""
    if place := saved.place(name):
        _say(console, label, place)


def _say(console: Console, label: str, text: str) -> None:
    """Print a labelled text, its lines under each other; paths and options stay in one piece."""
    indent = " " * LABEL
    wrap = TextWrapper(console.width, label.ljust(LABEL), indent, break_long_words=False)
    wrap.break_on_hyphens = False
    lines = Text(wrap.fill(text))
    lines.stylize("bold", 0, len(label))
    console.print(lines, soft_wrap=True)
