"""Models that are unpickled only if they are what was saved."""

import hashlib
import json
import pickle
import platform
from pathlib import Path

import numpy as np
import pytest
from kedro.io import DatasetError, Version

from mnist_kedro.datasets import ModelDataset, model_dataset


class Trap:
    """Whoever unpickles it makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.fixture
def dataset(tmp_path):
    return ModelDataset(filepath=str(tmp_path / "model.pkl"), version=Version(None, "1"))


@pytest.fixture
def saved(dataset, tmp_path):
    """Path of a saved model."""
    dataset.save({"weights": np.arange(3)})
    return tmp_path / "model.pkl" / "1" / "model.pkl"


def test_a_model_is_loaded_as_it_was_saved(dataset, saved, caplog):
    np.testing.assert_array_equal(dataset.load()["weights"], np.arange(3))
    assert caplog.text == ""


def test_it_is_compressed(dataset, tmp_path):
    dataset.save({"weights": np.zeros(100_000)})
    assert (tmp_path / "model.pkl" / "1" / "model.pkl").stat().st_size < 10_000
    np.testing.assert_array_equal(dataset.load()["weights"], np.zeros(100_000))


def test_the_manifest_has_the_sha256_and_the_versions(saved):
    manifest = json.loads(saved.with_name("model.pkl.json").read_text())
    assert manifest["sha256"] == hashlib.sha256(saved.read_bytes()).hexdigest()
    assert manifest["made_with"]["python"] == platform.python_version()
    assert manifest["made_with"]["numpy"] == np.__version__
    assert set(manifest["made_with"]) == {"python", "numpy", "scikit-learn", "torch"}


@pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda b: b + b"x", lambda b: b[:0]])
def test_a_torn_or_changed_file_is_refused(dataset, saved, damage):
    saved.write_bytes(damage(saved.read_bytes()))
    with pytest.raises(DatasetError) as caught:
        dataset.load()
    (_, sentence) = str(caught.value).splitlines()
    assert sentence.startswith(f"{saved}: expected the model with the sha256 ")
    assert sentence.endswith("the file was changed, so fit the model again")


def test_another_pickle_in_its_place_runs_no_code(dataset, saved, tmp_path):
    saved.write_bytes(pickle.dumps(Trap(tmp_path / "sprung")))
    with pytest.raises(DatasetError, match="expected the model with the sha256"):
        dataset.load()
    assert not (tmp_path / "sprung").exists()
    pickle.loads(saved.read_bytes())
    assert (tmp_path / "sprung").exists()  # so the trap works


def test_without_a_manifest_it_is_refused(dataset, saved):
    saved.with_name("model.pkl.json").unlink()
    with pytest.raises(DatasetError, match=r"expected a manifest beside it, .*model.pkl.json"):
        dataset.load()


def test_packages_that_have_changed_are_named(dataset, saved, monkeypatch, caplog):
    versions = {"numpy": "9.9", "scikit-learn": "8.8"}
    real = model_dataset.version
    monkeypatch.setattr(model_dataset, "version", lambda name: versions.get(name, real(name)))
    dataset.load()
    (record,) = caplog.records
    message = record.getMessage()
    assert f"{saved} was made with numpy {np.__version__} (now 9.9), scikit-learn " in message
    assert "torch" not in message


def test_what_cannot_be_pickled_leaves_nothing(dataset, tmp_path):
    with pytest.raises(DatasetError, match="lambda"):
        dataset.save({"weights": np.zeros(1_000_000), "code": lambda: 0})
    assert not any(path.is_file() for path in tmp_path.rglob("*"))
    assert not dataset.exists()
