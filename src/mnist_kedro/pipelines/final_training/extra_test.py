"""An extra test that nobody has tuned to: found before anything is trained, scored after all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mnist_kedro.classifiers.classifier import Classifier
from mnist_kedro.data.qmnist import ExtraTest, Qmnist, load_extra_test
from mnist_kedro.evaluation.metrics import predict_labels, score_predictions
from mnist_kedro.formats.idx import idx_sha256
from mnist_kedro.parameters import Parameters, UserError


class FinalTrainingParameters(Parameters):
    """Where the extra test is, if there is to be one."""

    extra_test: str | None
    cache: Path
    qmnist: Qmnist


def find_extra_test(
    parameters: FinalTrainingParameters, dataset_profile: dict[str, Any]
) -> dict[str, Any]:
    """Find the extra test before anything is trained, so that a missing one costs no time.

    Returns:
        Its `name`, `images` (their number) and `sha256`; `name` is `None` if there is to be none.

    Raises:
        UserError: It is missing, damaged, has classes that the data set does not have, or has the
            images of the data set itself. `DownloadError` if no mirror gave it.
    """
    if parameters.extra_test is None:
        return {"name": None}
    test = _load(parameters, dataset_profile["class_names"])
    if idx_sha256(test.images) in dataset_profile["sha256"].values():
        raise UserError(
            f"expected 'final_training.extra_test' to be other images than those of the data set, "
            f"found the same in {parameters.extra_test}"
        )
    return {"name": test.name, "images": len(test.labels), "sha256": test.sha256()}


def score_extra_test(
    model: Classifier,
    found: dict[str, Any],
    parameters: FinalTrainingParameters,
    class_names: Sequence[str],
) -> dict[str, Any]:
    """Score a model on the extra test, if there is one.

    Args:
        model: A fitted classifier.
        found: What `find_extra_test` returned.
        parameters: Say where the extra test is.
        class_names: Of the data set, in the order of its labels.

    Returns:
        `extra_test` (its name), `n_extra_test`, and `extra_test_accuracy` with `_low` and `_high`;
        nothing if there is none.

    Raises:
        UserError: It is not the one that was found.
    """
    if found["name"] is None:
        return {}
    test = _load(parameters, class_names)
    if test.sha256() != found["sha256"]:
        raise UserError(
            f"expected the extra test to be {found['name']} as it was found before, found other "
            f"images or labels: run `kedro run --pipeline=final` again"
        )
    predictions, _ = predict_labels(model, test.images)
    scores = score_predictions(test.labels, predictions, None, "extra_test")
    accuracy = {key: scores[key] for key in scores if key.startswith("extra_test_accuracy")}
    return {"extra_test": test.name, "n_extra_test": len(test.labels), **accuracy}


def _load(parameters: FinalTrainingParameters, class_names: Sequence[str]) -> ExtraTest:
    source = str(parameters.extra_test)
    return load_extra_test(source, parameters.qmnist, parameters.cache, class_names)
