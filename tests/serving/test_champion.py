import logging

import numpy as np
import pytest
from kedro.io import DataCatalog

from mnist_kedro.data.sources import embedded_digits
from mnist_kedro.parameters import UserError
from mnist_kedro.serving.champion import Champions, open_champion
from tests.serving.mean_digits import make_manifest, make_model, mean_images, save_champion

OLD, NEW = "2026-01-01T00.00.00.000Z", "2026-01-02T00.00.00.000Z"


@pytest.fixture(scope="module")
def model():
    return make_model(mean_images())


@pytest.fixture(scope="module")
def other_model():
    """Reads every digit as the next class."""
    return make_model(np.roll(mean_images(), 1, axis=1))


@pytest.fixture
def catalog(tmp_path):
    folder = tmp_path / "data/06_models"
    modes = {"open_args_load": {"mode": "rb"}, "open_args_save": {"mode": "wb"}}
    return DataCatalog.from_config(
        {
            "final_onnx": {
                "type": "text.TextDataset",
                "filepath": str(folder / "final_model/model.onnx"),
                "fs_args": modes,
                "versioned": True,
            },
            "final_manifest": {
                "type": "json.JSONDataset",
                "filepath": str(folder / "final_model/manifest.json"),
                "versioned": True,
            },
            "promotion": {
                "type": "json.JSONDataset",
                "filepath": str(folder / "promotion.json"),
                "versioned": True,
            },
            "final_manifests": {
                "type": "partitions.PartitionedDataset",
                "path": str(folder / "final_model/manifest.json"),
                "filename_suffix": "/manifest.json",
                "dataset": "json.JSONDataset",
            },
        }
    )


def test_many_images_are_predicted_as_one_by_one(model):
    images = embedded_digits().test_images[:201]
    champion = open_champion(OLD, model, make_manifest(model))
    one_by_one = [champion.predict(image[None]) for image in images]
    np.testing.assert_allclose(champion.predict(images), np.concatenate(one_by_one), rtol=1e-5)


@pytest.mark.parametrize("threshold", [0.5, None])
def test_it_warns_of_what_it_is_unsure_of(model, threshold):
    champion = open_champion(OLD, model, make_manifest(model, confidence_threshold=threshold))
    images = embedded_digits().test_images
    confidence = champion.predict(images).max(axis=1)
    warnings = [each.warning for each in champion.answer(images).predictions]
    doubt = "this may not be a digit" if threshold else None
    expected = [doubt if each < 0.5 else None for each in confidence]
    assert warnings == expected
    (picture,) = champion.answer(images[:1], warning="too small").predictions
    assert picture.warning == "too small"


def test_why_a_champion_has_no_export_is_told(model):
    manifest = make_manifest(model, onnx={"sha256": None, "reason": "no converter for Oracle"})
    with pytest.raises(UserError, match="version v has no ONNX export: no converter for Oracle$"):
        open_champion("v", b"", manifest)


def test_a_manifest_of_earlier_days_is_refused(model):
    manifest = make_manifest(model)
    del manifest["onnx"]
    with pytest.raises(UserError, match="no ONNX export: run `kedro run --pipeline=final`"):
        open_champion("v", model, manifest)


def test_without_a_champion_the_sentence_says_what_to_run(catalog):
    with pytest.raises(UserError, match="run `kedro run` first"):
        Champions(catalog)


def test_the_champion_answers_not_the_latest_unless_a_version_is_named(catalog, tmp_path, model):
    save_champion(tmp_path, OLD, model, make_manifest(model))
    save_champion(tmp_path, NEW, model, make_manifest(model), champion=OLD)
    assert Champions(catalog).current.model.version == OLD
    assert Champions(catalog, NEW).current.model.version == NEW
    sentence = "expected the version of a final model, found 2025: `kedro promote` lists them"
    with pytest.raises(UserError, match=sentence):
        Champions(catalog, "2025")


def test_of_a_champion_that_cannot_be_served_the_best_that_can_is_offered(catalog, tmp_path, model):
    export = make_manifest(model)["onnx"]
    for day, accuracy, onnx in ((1, 0.9, export), (2, 0.8, export), (3, 0.99, {"sha256": None})):
        manifest = make_manifest(model, validation_accuracy=accuracy, onnx=onnx)
        save_champion(tmp_path, OLD.replace("01-01", f"01-0{day}"), model, manifest)
    offer = (
        f"the best that can be served is version {OLD}, mean_digits fitted on embedded: add --mod"
    )
    with pytest.raises(UserError, match=f"2026-01-03.* has no ONNX export: .*; {offer}"):
        Champions(catalog)


def test_a_damaged_champion_is_kept_out_and_told_once(catalog, tmp_path, model, caplog):
    save_champion(tmp_path, OLD, model, make_manifest(model))
    champions = Champions(catalog)
    save_champion(tmp_path, NEW, model[:100], make_manifest(model))
    with caplog.at_level(logging.WARNING):
        champions.refresh()
        champions.refresh()
    assert champions.current.model.version == OLD
    (record,) = caplog.records
    assert f"Still serving version {OLD}: expected the ONNX file of version {NEW}" in record.message
