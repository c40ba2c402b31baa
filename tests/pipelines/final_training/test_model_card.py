import numpy as np
import pandas as pd
import pytest

from mnist_kedro.evaluation.metrics import score_predictions
from mnist_kedro.pipelines.final_training.model_card import write_model_card
from mnist_kedro.pipelines.final_training.nodes import find_label_issues

CLASSES = 10
NAMES = list("abcdefghij")
CHAMPION = {
    "candidate": "bayes",
    "reason": "bayes (95.00 %) is the only candidate.",
    "validation_accuracy": 0.95,
    "validation_accuracy_low": 0.9,
    "validation_accuracy_high": 0.98,
    "settings": {
        "estimator": "sklearn.naive_bayes.GaussianNB",
        "hyperparameters": {"var_smoothing": 0.1},
        "seed": 7,
    },
    "data": "my digits",
    "class_names": NAMES,
    "data_sha256": "abc",
}
PROVENANCE = {
    "run_id": "2026-01-02T03.04.05.678Z",
    "git_commit": "f00",
    "git_dirty": True,
    "packages": {"numpy": "2.4.6", "torch": "2.13.0"},
    "python": "3.11.7",
}
COST = {
    "predict_ms_per_image": 0.01234,
    "predict_ms_single_image": 0.5,
    "model_bytes": 12345,
    "n_parameters": 6789,
    "fit_seconds": 1.25,
}


def predict(wrong, read_as):
    """Confident probabilities of 200 images, of which these are misread."""
    labels = np.arange(200, dtype=np.uint8) % CLASSES
    predictions = labels.copy()
    predictions[wrong] = read_as
    probabilities = np.full((200, CLASSES), 0.001)
    probabilities[np.arange(200), predictions] = 0.991
    return labels, predictions, probabilities


def write(labels, predictions, probabilities, note=None, **changes):
    scores = score_predictions(labels, predictions, probabilities, "test")
    metrics = scores | COST | {"n_test": len(labels)} | changes
    table = {"label": labels, "prediction": predictions, "confidence": np.nan}
    table = pd.DataFrame(table)
    if probabilities is not None:
        table["confidence"] = probabilities.max(axis=1)
        table[[f"probability_{name}" for name in range(CLASSES)]] = probabilities
    return write_model_card(
        CHAMPION,
        metrics,
        table,
        find_label_issues(table),
        np.arange(600, dtype=np.uint8) % CLASSES,
        PROVENANCE,
        note,
    )


@pytest.fixture(scope="module")
def card():
    """Of a classifier that reads 193 of 200, and misreads 4 most."""
    return write(*predict([4, 14, 24, 34, 44, 54, 7], [9, 9, 9, 9, 9, 9, 1]))


def test_the_card_starts_with_the_accuracy_on_all_test_images(card):
    title, _, accuracy, data, *_ = card.splitlines()
    assert title == "# Model card: bayes"
    assert accuracy == "Reads **96.50 % (92.95 to 98.29)** of 200 test images."
    assert data == "It was fitted on all 600 training images of my digits."


def test_a_note_follows_the_accuracy():
    digits = predict([4], [9])
    noted, plain = write(*digits, note="Other seeds: 99 %."), write(*digits)
    assert noted == plain.replace("run.\n", "run.\nOther seeds: 99 %.\n", 1)


def test_the_card_says_what_the_model_is_and_why_it_was_chosen(card):
    assert "it read 95.00 % (90.00 to 98.00) of the validation images" in card
    assert "Why it was chosen: bayes (95.00 %) is the only candidate.\n" in card
    assert "Seed 7 " in card
    assert (
        "```yaml\nbayes:\n  estimator: sklearn.naive_bayes.GaussianNB\n"
        "  hyperparameters: {var_smoothing: 0.1}\n```" in card
    )
    assert "600 training and 200 test images of the classes a, b, c, d, e, f, g, h, i, j." in card
    assert "`abc`" in card


def test_the_card_says_what_the_model_is_bad_at(card):
    assert "|     e |  70.0 % |   100.0 % |  82.4 % |     20 |" in card
    assert "It reads e worst: of 20 images, 70.0 %.\nIt misread 7 images in all" in card
    assert (
        "| label | read as | images |\n| ----: | ------: | -----: |\n"
        "|     e |       j |      6 |\n|     h |       b |      1 |\n\n" in card
    )


def test_the_card_compares_confidence_with_accuracy(card):
    assert "Expected calibration error 2.60 % (15 bins)" in card
    assert "more confident than right: its mean confidence is 99.10 %, its accuracy 96.50 %" in card
    assert "`reliability_diagram`" in card


def test_label_issues_come_after_the_accuracy_and_change_nothing_in_it(card):
    first, second = card.index("96.50 % (92.95"), card.index("## Suspected wrong labels")
    assert first < second
    assert "cleanlab suspects 7 of 200 test labels" in card
    assert "|     7 |     h |       b |                 0.001000 |" in card


def test_the_card_names_cost_and_provenance(card):
    for line in (
        "- prediction: 0.0123 ms per image when all are read in one call",
        "- prediction of an image alone: 0.5 ms (median)",
        "- fit: 1.25 s",
        "- model: 12,345 bytes",
        "- weights and biases: 6,789",
        "- run: `2026-01-02T03.04.05.678Z`",
        "- git commit: f00, files changed since: yes",
        "- Python: 3.11.7",
        "- packages: numpy 2.4.6, torch 2.13.0",
    ):
        assert f"{line}\n" in card


def test_a_classifier_without_probabilities_has_a_card_that_says_so():
    labels, predictions, _ = predict([4], [9])
    card = write(labels, predictions, None, n_parameters=None)
    assert "This classifier gives no probabilities: it does not say how sure it is." in card
    assert "Not looked for: that needs probabilities" in card
    assert "- weights and biases: this kind of model has none\n" in card
    assert "nan %" not in card


def test_an_extra_test_stands_below_the_first(card):
    assert "further images" not in card
    extra = {"extra_test": "QMNIST", "n_extra_test": 50_000, "extra_test_accuracy": 0.99}
    extra |= {"extra_test_accuracy_low": 0.985, "extra_test_accuracy_high": 0.995}
    lines = write(*predict([4], [9]), **extra).splitlines()
    assert lines[5] == ("Of 50,000 further images, QMNIST, it reads 99.00 % (98.50 to 99.50).")


def test_a_perfect_classifier_has_a_card_too():
    card = write(*predict([], []))
    assert "Reads **100.00 %" in card
    assert "It misread none of the test images." in card
    assert "less confident than right" in card
    assert "suspects none of the test labels" in card
