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
    folder = tmp_path / "data/06_models/final_model"
    modes = {"open_args_load": {"mode": "rb"}, "open_args_save": {"mode": "wb"}}
    return DataCatalog.from_config(
        {
            "final_onnx": {
                "type": "text.TextDataset",
                "filepath": str(folder / "model.onnx"),
                "fs_args": modes,
                "versioned": True,
            },
            "final_manifest": {
                "type": "json.JSONDataset",
                "filepath": str(folder / "manifest.json"),
                "versioned": True,
            },
        }
    )


def test_many_images_are_predicted_as_one_by_one(model):
    images = embedded_digits().test_images[:201]
    champion = open_champion(OLD, model, make_manifest(model))
    one_by_one = [champion.predict(image[None]) for image in images]
    np.testing.assert_allclose(champion.predict(images), np.concatenate(one_by_one), rtol=1e-5)


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


def test_the_latest_version_counts_of_which_both_files_exist(catalog, tmp_path, model):
    save_champion(tmp_path, OLD, model, make_manifest(model))
    unfinished = tmp_path / "data/06_models/final_model/model.onnx" / NEW / "model.onnx"
    unfinished.parent.mkdir()
    unfinished.write_bytes(model)
    assert Champions(catalog).current.model.version == OLD


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
