"""The model card: what the final model is, how good it is, and what it reads badly."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import yaml

from mnist_kedro.evaluation.metrics import BINS, accuracy_text, percent, score_classes
from mnist_kedro.lazy import NDArray, np, pd

LISTED = 10  # mistakes and suspects
# A sentence a line: plain text that people can read, and Markdown.
TEMPLATE = """\
# Model card: {champion[candidate]}

Reads **{test}** of {metrics[n_test]:,} test images.
It was fitted on all {n_train:,} training images of {champion[data]}.
The test images trained nothing, chose nothing, and were scored once in this run.
{extra_test}{note}
Before, fitted on a part of the training images, it read {validation} of the validation images.
Why it was chosen: {champion[reason]}
In brackets after an accuracy: its 95 % interval (Wilson).

## Model

Seed {champion[settings][seed]} and these settings; all others are the defaults.

```yaml
{settings}```

## Data

{champion[data]}: {n_train:,} training and {metrics[n_test]:,} test images of the classes {classes}.
The sha256 of its files together: `{champion[data_sha256]}`.

## What it is bad at

{weaknesses}

## Calibration

{calibration}

## Suspected wrong labels

{suspects}

## Speed and size, on the machine that fitted and scored it

- prediction: {metrics[predict_ms_per_image]:.3g} ms per image when all are read in one call
- prediction of an image alone: {metrics[predict_ms_single_image]:.3g} ms (median)
- fit: {metrics[fit_seconds]:.3g} s
- model: {metrics[model_bytes]:,} bytes
- weights and biases: {n_parameters}

## Limits

- It reads every image as one of the classes {classes}, even an empty sheet.
- It expects images of 28x28 pixels, sized and placed as in {champion[data]}.
  Photographs, other sizes and other places in the image were not measured.
- How well it reads images from elsewhere, such as other people's writing, was not measured.

## Provenance

- run: `{provenance[run_id]}`
- git commit: {commit}, files changed since: {changed}
- Python: {provenance[python]}
- packages: {packages}
- versions of all datasets: in `final_manifest`
"""


def write_model_card(
    champion: dict[str, Any],
    final_metrics: dict[str, Any],
    test_predictions: pd.DataFrame,
    label_issues: pd.DataFrame,
    train_labels: NDArray[np.uint8],
    provenance: dict[str, Any],
    note: str | None,
) -> str:
    """Describe the final model in Markdown, from what the other nodes have measured and a note."""
    count, class_names = final_metrics["n_parameters"], champion["class_names"]
    names = dict(enumerate(class_names))
    labels, read_as = (test_predictions[name].to_numpy() for name in ("label", "prediction"))
    predictions = test_predictions.replace({"label": names, "prediction": names})
    suspects = label_issues.replace({"given_label": names, "predicted_label": names})
    settings = {key: value for key, value in champion["settings"].items() if key != "seed"}
    block = {champion["candidate"]: settings}  # as in parameters_model_training.yml
    return TEMPLATE.format(
        champion=champion,
        metrics=final_metrics,
        provenance=provenance,
        test=accuracy_text(final_metrics, "test"),
        extra_test=_extra_test(final_metrics),
        note=f"{note}\n" if note else "",
        validation=accuracy_text(champion, "validation"),
        n_train=len(train_labels),
        classes=", ".join(class_names),
        settings=yaml.safe_dump(block, sort_keys=False, default_flow_style=None),
        weaknesses=_weaknesses(score_classes(labels, read_as, class_names), predictions),
        calibration=_calibration(final_metrics, predictions),
        suspects=_suspects(final_metrics, predictions, suspects),
        n_parameters="this kind of model has none" if count is None else f"{count:,}",
        commit=provenance["git_commit"] or "none",
        changed={True: "yes", False: "no", None: "not known"}[provenance["git_dirty"]],
        packages=", ".join(" ".join(each) for each in provenance["packages"].items()),
    )


def _extra_test(metrics: dict[str, Any]) -> str:
    if "extra_test" not in metrics:
        return ""
    return (
        f"Of {metrics['n_extra_test']:,} further images, {metrics['extra_test']}, it reads "
        f"{accuracy_text(metrics, 'extra_test')}.\n"
    )


def _weaknesses(report: pd.DataFrame, predictions: pd.DataFrame) -> str:
    rows = [
        (row["name"], *(_share(row[key]) for key in ("recall", "precision", "f1")), row["images"])
        for row in report.to_dict("records")
    ]
    table = _table(["class", "recall", "precision", "F1", "images"], rows)
    wrong = predictions[predictions["label"] != predictions["prediction"]]
    if wrong.empty:
        return f"{table}\n\nIt misread none of the test images."
    worst = report.sort_values("recall", kind="stable").iloc[0]
    # Counted in the order of the classes, so that ties always stand in the same order.
    pairs = wrong.groupby(["label", "prediction"]).size().reset_index(name="images")
    most = pairs.sort_values("images", ascending=False, kind="stable").head(LISTED)
    return (
        f"{table}\n\n"
        f"It reads {worst['name']} worst: of {worst['images']:,.0f} images, "
        f"{_share(worst['recall'])}.\n"
        f"It misread {len(wrong):,} images in all; its most frequent mistakes:\n\n"
        f"{_table(['label', 'read as', 'images'], most.to_numpy().tolist())}\n\n"
        f"Picture: `final_report`."
    )


def _calibration(metrics: dict[str, Any], predictions: pd.DataFrame) -> str:
    error = metrics["test_expected_calibration_error"]
    if error is None:
        return "This classifier gives no probabilities: it does not say how sure it is."
    confidence, accuracy = predictions["confidence"].mean(), metrics["test_accuracy"]
    tendency = "more" if confidence > accuracy else "less"
    return (
        f"Expected calibration error {percent(error)} ({BINS} bins): so far apart are its "
        f"confidence and its accuracy, on average.\n"
        f"As a whole it is {tendency} confident than right: its mean confidence is "
        f"{percent(confidence)}, its accuracy {percent(accuracy)}.\n"
        f"Picture: `reliability_diagram`."
    )


def _suspects(metrics: dict[str, Any], predictions: pd.DataFrame, suspects: pd.DataFrame) -> str:
    if metrics["test_expected_calibration_error"] is None:
        return "Not looked for: that needs probabilities, and this classifier gives none."
    if suspects.empty:
        return "cleanlab, which looks for them, suspects none of the test labels."
    rows = [
        (row["index"], row["given_label"], row["predicted_label"], f"{row['label_quality']:.6f}")
        for row in suspects.head(LISTED).to_dict("records")
    ]
    return (
        f"By the probabilities of this model, cleanlab suspects {len(suspects):,} of "
        f"{len(predictions):,} test labels.\n"
        f"Nobody has checked them: a label may be right and the image hard to read.\n"
        f"All are in `label_issues`; the most suspicious, counted from 0:\n\n"
        f"{_table(['index', 'label', 'read as', 'probability of the label'], rows)}"
    )


def _share(value: float) -> str:
    """Return a fraction to a tenth of a percent; of no images there is none."""
    return "none" if np.isnan(value) else f"{100 * value:.1f} %"


def _table(header: list[str], rows: Iterable[Iterable[Any]]) -> str:
    """Return a Markdown table whose columns stand in line in plain text, too."""
    cells = [header, *([str(cell).replace("|", r"\|") for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    cells.insert(1, ["-" * (width - 1) + ":" for width in widths])
    return "\n".join(f"| {' | '.join(map(str.rjust, line, widths))} |" for line in cells)
