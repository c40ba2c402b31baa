import pytest

from mnist_kedro.parameters import UserError
from mnist_kedro.pipelines.final_training.promotion import (
    decide_promotion,
    list_models,
    promote,
)


def manifest(version, accuracy=0.98, data="MNIST", data_sha256="00", candidate="cnn"):
    return {
        "candidate": candidate,
        "data": data,
        "data_sha256": data_sha256,
        "validation_accuracy": accuracy,
        "validation_accuracy_low": accuracy - 0.01,
        "validation_accuracy_high": accuracy + 0.01,
        "test_accuracy": 0.5,
        "provenance": {"run_id": version},
    }


def after(*manifests):
    """The decisions on these models, one after the other."""
    promotions = {}
    for each in manifests:
        promotions[each["provenance"]["run_id"]] = decide_promotion(each, promotions)
    return promotions


def test_the_first_is_the_champion():
    assert decide_promotion(manifest("1"), {}) == {
        "data": "MNIST",
        "version": "1",
        "alias": "champion",
        "reason": "it is the first final model of MNIST",
        "champion": {
            "version": "1",
            "candidate": "cnn",
            "data_sha256": "00",
            "validation_accuracy": 0.98,
            "validation_accuracy_low": 0.97,
            "validation_accuracy_high": 0.99,
        },
    }


def test_one_that_is_not_below_the_interval_takes_its_place():
    decision = after(manifest("1"), manifest("2", 0.97))["2"]
    assert decision["alias"] == "champion"
    assert decision["champion"]["version"] == "2"
    assert decision["reason"] == (
        "its validation accuracy, 97.00 %, is not below the interval of the best champion so "
        "far, cnn of version 1, 97.00 to 99.00 %"
    )


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"accuracy": 0.9699}, "its validation accuracy, 96.99 %, is below the interval of the"),
        ({"accuracy": 0.999, "data_sha256": "01"}, "it was made of other data than the champion"),
    ],
)
def test_what_is_worse_or_of_other_data_is_a_challenger(changes, reason):
    decision = after(manifest("1"), manifest("2", **changes))["2"]
    assert decision["alias"] == "challenger"
    assert decision["version"] == "2"
    assert decision["champion"]["version"] == "1"
    assert decision["reason"].startswith(reason)


def test_champions_do_not_become_worse_step_by_step():
    promotions = after(manifest("1", 0.98), manifest("2", 0.975), manifest("3", 0.969))
    assert [promotions[key]["alias"] for key in "123"] == ["champion", "champion", "challenger"]
    assert promotions["3"]["champion"]["version"] == "2"
    assert "best champion so far, cnn of version 1, 97.00 to 99.00 %" in promotions["3"]["reason"]


def test_a_challenger_changes_nothing_for_the_next():
    promotions = after(manifest("1"), manifest("2", 0.9), manifest("3", 0.95))
    assert promotions["3"]["alias"] == "challenger"
    assert promotions["3"]["champion"]["version"] == "1"


def test_models_of_other_data_sets_have_champions_of_their_own():
    promotions = after(manifest("1"), manifest("2", 0.5, "embedded digits"), manifest("3", 0.99))
    assert [promotions[key]["alias"] for key in "123"] == ["champion"] * 3
    assert promotions["3"]["reason"].endswith("cnn of version 1, 97.00 to 99.00 %")


def test_a_run_that_ends_late_does_not_undo_what_was_decided_since():
    decision = decide_promotion(manifest("1", 0.99), after(manifest("2", 0.9)))
    assert decision["alias"] == "challenger"
    assert decision["champion"]["version"] == "2"
    assert decision["reason"] == "the champion was chosen after its run had begun (2)"


def test_somebody_moves_the_champion_back_and_forth():
    manifests = {key: manifest(key, accuracy) for key, accuracy in (("1", 0.9), ("2", 0.99))}
    promotions = after(*manifests.values())
    promotions["3"] = promote("1", manifests, promotions)
    assert promotions["3"]["champion"]["version"] == promotions["3"]["version"] == "1"
    models = list_models(manifests, promotions)
    assert models["version"].tolist() == ["2", "1"]
    assert models["alias"].tolist() == ["", "champion"]
    promotions["4"] = promote("2", manifests, promotions)
    assert list_models(manifests, promotions)["alias"].tolist() == ["champion", ""]


def test_the_list_has_the_latest_challenger():
    manifests = {key: manifest(key, accuracy) for key, accuracy in (("1", 0.9), ("2", 0.5))}
    models = list_models(manifests, after(*manifests.values()))
    assert models.to_dict("list") == {
        "version": ["2", "1"],
        "data": ["MNIST"] * 2,
        "candidate": ["cnn"] * 2,
        "validation_accuracy": [0.5, 0.9],
        "test_accuracy": [0.5] * 2,
        "alias": ["challenger", "champion"],
    }


def test_what_is_not_there_cannot_be_promoted():
    with pytest.raises(UserError, match="expected the version of a final model, found '2': `kedro"):
        promote("2", {"1": manifest("1")}, {})


def test_of_the_champion_the_decision_stays():
    promotions = after(manifest("1"))
    assert promote("1", {"1": manifest("1")}, promotions) is promotions["1"]
