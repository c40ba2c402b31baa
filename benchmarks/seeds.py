"""`python -m benchmarks.seeds`: the final model of an environment, fitted with several seeds.

A report of what chance does; nothing is chosen by it. Each fit appends a line to `seeds.jsonl`, so
that a later command fits only what this machine has not fitted with today's settings. The summary
goes into docs/performance.md.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.data import add_data_option, load_mnist, read_parameters
from benchmarks.machine import machine_name
from benchmarks.results import markdown_table, write_into_page
from mnist_kedro.classifiers.build import Candidate
from mnist_kedro.classifiers.fit import fit_classifier

if TYPE_CHECKING:
    from mnist_kedro.data.sources import Arrays

ENVIRONMENTS = {"base": 10, "thorough": 5}  # seeds
FITS = Path(__file__).with_name("seeds.jsonl")
HEAD = ("environment", "fits", "mean", "deviation", "worst", "best", "CPU minutes a fit", "machine")


def main() -> None:
    """Fit what is missing; print the summary and write it into the page."""
    parser = argparse.ArgumentParser("python -m benchmarks.seeds", description=main.__doc__)
    add_data_option(parser)
    parser.add_argument("--env", action="append", choices=ENVIRONMENTS, help="default: each")
    parser.add_argument("--seeds", type=int, help="from 0 (default: 10 of base, 5 of thorough)")
    parser.add_argument("--candidate", default="cnn", choices=read_parameters()["candidates"])
    arguments = parser.parse_args()
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    arrays = load_mnist(arguments.data)
    for environment in arguments.env or ENVIRONMENTS:
        count = arguments.seeds or ENVIRONMENTS[environment]
        fit_missing(arrays, environment, arguments.candidate, count)
    text = summary(read_fits(FITS))
    write_into_page("benchmarks.seeds", text)
    print(text)


def read_fits(path: Path) -> list[dict[str, Any]]:
    """Return all fits so far."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def fit_missing(arrays: Arrays, environment: str, name: str, count: int, path: Path = FITS) -> None:
    """Fit a candidate on all training images with each of so many seeds, but for those done."""
    settings = read_parameters(environment)["candidates"][name]
    same = {"environment": environment, "candidate": name, "machine": machine_name()}
    same["settings"] = settings
    done = [fit["seed"] for fit in read_fits(path) if fit | same == fit]
    for seed in sorted({*range(count)} - {*done}):
        print(f"{name} of {environment}, seed {seed} of 0 to {count - 1} ...", flush=True)
        train = arrays.train_images, arrays.train_labels
        classifier, history = fit_classifier(Candidate.model_validate(settings), seed, train)
        right = classifier.predict(arrays.test_images) == arrays.test_labels
        fit = {"seed": seed, "accuracy": float(np.mean(right))}
        fit["cpu_minutes"] = round(history["cpu_seconds"].iloc[-1] / 60, 3)
        with path.open("a") as file:
            print(json.dumps(same | fit | {"date": date.today().isoformat()}), file=file)
        print(f"  {percent(fit['accuracy'])}, {fit['cpu_minutes']:.1f} CPU minutes", flush=True)


def summary(fits: list[dict[str, Any]]) -> str:
    """Return a Markdown table: per environment, candidate and machine, the fits as of the last."""
    same: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for fit in fits:
        same.setdefault((fit["environment"], fit["candidate"], fit["machine"]), []).append(fit)
    lines = []
    for (environment, name, machine), all_of_it in same.items():
        now = [fit for fit in all_of_it if fit["settings"] == all_of_it[-1]["settings"]]
        found = [fit["accuracy"] for fit in now]
        deviation = percent(statistics.stdev(found)) if len(found) > 1 else ""
        mean, *ends = map(percent, (statistics.mean(found), min(found), max(found)))
        minutes = statistics.mean(fit["cpu_minutes"] for fit in now)
        where = f"{machine}, {now[-1]['date']}"
        numbers = mean, deviation, *ends, f"{minutes:.1f}"
        lines.append((f"{environment}, {name}", str(len(now)), *numbers, where))
    return markdown_table(HEAD, lines)


def percent(fraction: float) -> str:
    """Return a fraction as people read it; a mean of several fits has a third digit."""
    return f"{100 * fraction:.3f} %"


if __name__ == "__main__":
    main()
