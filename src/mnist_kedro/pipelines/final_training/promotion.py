"""Which of the final models that were ever made is the champion of its data set.

Each decision is a version of the dataset `promotion`: `data`, the `version` of the model it is
about, its `alias` (`champion` or `challenger`), the `reason`, and the `champion` from then on.
Nothing is overwritten: the champion of a data set is that of the latest decision on these data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mnist_kedro.evaluation.metrics import interval_text, percent
from mnist_kedro.lazy import pd
from mnist_kedro.parameters import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping

ACCURACY = ("validation_accuracy", "validation_accuracy_low", "validation_accuracy_high")
COLUMNS = ["version", "data", "candidate", "validation_accuracy", "test_accuracy", "alias"]


def decide_promotion(
    final_manifest: dict[str, Any], promotions: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    """Decide whether the final model becomes the champion of its data set, or a challenger.

    It becomes the champion if it was made of the same data as the champion so far, and its
    validation accuracy is not below the 95 % interval of the most accurate champion on these data:
    beside the last one alone, each could be a little worse. The test images decide nothing.

    Args:
        final_manifest: Of the final model.
        promotions: All earlier decisions, by their versions.

    Returns:
        The decision.
    """
    version = final_manifest["provenance"]["run_id"]
    latest = _latest(promotions, final_manifest["data"])
    if latest is None:
        return _decision(final_manifest, f"it is the first final model of {final_manifest['data']}")
    champion = promotions[latest]["champion"]
    so_far = f"the champion so far, {champion['candidate']} of version {champion['version']}"
    if latest > version:
        reason = f"the champion was chosen after its run had begun ({latest})"
        return _decision(final_manifest, reason, champion)
    if champion["data_sha256"] != final_manifest["data_sha256"]:
        return _decision(final_manifest, f"it was made of other data than {so_far}", champion)
    champions = (each["champion"] for each in promotions.values())
    same_data = [each for each in champions if each["data_sha256"] == champion["data_sha256"]]
    best = max(same_data, key=lambda each: each["validation_accuracy"])
    accuracy = final_manifest["validation_accuracy"]
    is_below = accuracy < best["validation_accuracy_low"]
    reason = (
        f"its validation accuracy, {percent(accuracy)}, is {'' if is_below else 'not '}below the "
        f"interval of the best champion so far, {best['candidate']} of version {best['version']}, "
        f"{interval_text(best, 'validation')} %"
    )
    return _decision(final_manifest, reason, champion if is_below else None)


def promote(
    version: str, manifests: Mapping[str, dict[str, Any]], promotions: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    """Return the decision that makes the final model of this version the champion of its data set.

    If it is the champion already, that is the last decision.

    Args:
        version: Of the model.
        manifests: Those of all final models, by version.
        promotions: All earlier decisions, by their versions.

    Raises:
        UserError: There is no such version.
    """
    if version not in manifests:
        raise UserError(
            f"expected the version of a final model, found '{version}': `kedro promote` lists them"
        )
    latest = _latest(promotions, manifests[version]["data"])
    if latest and promotions[latest]["champion"]["version"] == version:
        return promotions[latest]
    return _decision(manifests[version], "somebody promoted it")


def list_models(
    manifests: Mapping[str, dict[str, Any]], promotions: dict[str, dict[str, Any]]
) -> pd.DataFrame:
    """Return a row per final model with `COLUMNS`, the latest first."""
    rows = [dict(manifests[version], version=version, alias="") for version in sorted(manifests)]
    board = pd.DataFrame(rows[::-1], columns=COLUMNS)
    for data in board["data"].unique():
        if latest := _latest(promotions, data):
            decision = promotions[latest]
            board.loc[board["version"] == decision["version"], "alias"] = decision["alias"]
            champion = board["version"] == decision["champion"]["version"]
            board.loc[champion, "alias"] = "champion"
    return board


def _decision(
    manifest: Mapping[str, Any], reason: str, champion: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Return the decision on a model: it is the champion, unless another one stays that."""
    version = manifest["provenance"]["run_id"]
    own = {"version": version} | {k: manifest[k] for k in ("candidate", "data_sha256", *ACCURACY)}
    return {
        "data": manifest["data"],
        "version": version,
        "alias": "challenger" if champion else "champion",
        "reason": reason,
        "champion": champion or own,
    }


def _latest(promotions: Mapping[str, Mapping[str, Any]], data: str) -> str | None:
    """Return the version of the latest decision on the models of a data set."""
    return max((key for key, each in promotions.items() if each["data"] == data), default=None)
