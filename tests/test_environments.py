"""`--env=…` for other data sets in MNIST's format: small files like theirs, and none at all."""

import string
from pathlib import Path

import numpy as np
import pytest
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

from mnist_kedro.classifiers.build import Candidate
from mnist_kedro.data.dataset_spec import FILES
from mnist_kedro.data.mirrors import DownloadError
from mnist_kedro.data.sources import Arrays
from mnist_kedro.pipelines.data_ingestion.nodes import ingest_images

UNREACHABLE = "http://127.0.0.1:9/"
# Of each environment the last class, and the lowest label in its files.
LAST = {
    "fashion_mnist": (9, "Ankle boot", 0),
    "kmnist": (9, "wo", 0),
    "emnist_balanced": (46, "t", 0),
    "emnist_digits": (9, "9", 0),
    "emnist_letters": (25, "Z", 1),
}


@pytest.fixture(scope="module")
def loaded(tmp_path_factory, copy_project):
    """What Kedro loads of each environment: its parameters, a path of its data, and the project."""
    project = copy_project(tmp_path_factory.mktemp("environments") / "project")
    bootstrap_project(project)
    found = {}
    for env in ("base", *LAST):
        with KedroSession.create(project, env=env) as session:
            context = session.load_context()
            catalog = context.config_loader["catalog"]  # now: each environment has its globals
            found[env] = context.params, catalog["train_images"]["filepath"], project
    return found


@pytest.fixture
def parameters(loaded, tmp_path):
    """Function that returns an environment's parameters, without its mirrors."""

    def parameters(env, **changes):
        given = loaded[env][0]["data_ingestion"]
        changes |= {"mirrors": (UNREACHABLE,), "cache": tmp_path / "cache"}
        return type(given).model_validate(given.model_dump() | changes)

    return parameters


@pytest.fixture
def small(tmp_path, parameters, write_idx_folder):
    """Function that writes small files like those of an environment, with two images per class.

    The lighter half of each image is its upper one, where people see it.
    """

    def small(env):
        described, (last, _, first_label) = parameters(env), LAST[env]
        images = np.zeros((2 * (last + 1), 28, 28), np.uint8)
        images[:, :14] = 255
        if env.startswith("emnist"):
            images = images.transpose(0, 2, 1)
        labels = np.arange(len(images), dtype=np.uint8) % (last + 1) + first_label
        folder = write_idx_folder(tmp_path / "small", Arrays(images, labels, images, labels))
        for key, name in described.files.items():
            (folder / f"{FILES[key]}.gz").rename(folder / f"{name}.gz")
        return folder

    return small


@pytest.mark.parametrize("env", LAST)
def test_small_files_in_the_same_format_are_read(env, parameters, small):
    train_images, train_labels, _, test_labels, profile = ingest_images(
        parameters(env, source=str(small(env)))
    )
    last, name, _ = LAST[env]
    assert (train_images[:, :14] == 255).all()
    assert not train_images[:, 14:].any()
    for labels in (train_labels, test_labels):
        assert labels.tolist() == list(range(last + 1)) * 2
    assert profile["class_names"][-1] == name
    assert len(profile["class_names"]) == last + 1
    assert profile["name"] == f"small (not {parameters(env).name})"


@pytest.mark.parametrize("env", LAST)
def test_without_a_network_a_sentence_says_which_files_to_put_where(env, parameters):
    described = parameters(env)
    with pytest.raises(DownloadError) as caught:
        ingest_images(described)
    sentence = str(caught.value)
    assert f"expected {described.name} from one of 1 mirrors" in sentence
    for name in described.files.values():
        assert f"{name}.gz" in sentence
    assert sentence.endswith("into a folder and add --params data_ingestion.source=<folder>")
    assert ("(from gzip.zip)" in sentence) == env.startswith("emnist")


def test_each_has_its_own_data_folder_and_a_name_for_experiment_and_model(loaded):
    for env, (parameters, path, project) in loaded.items():
        data = "data" if env == "base" else f"data/{env}"
        assert path == f"{data}/01_raw/train-images-idx3-ubyte"
        assert parameters["data_ingestion"].cache == Path(project, data, "01_raw/downloads")
        tracking = parameters["tracking"]
        assert (tracking["experiment"], tracking["registered_model"]) == ("{data}", "{data}")
        assert tracking["enabled"]
    names = [parameters["data_ingestion"].name for parameters, *_ in loaded.values()]
    assert len(set(names)) == len(names)


def test_classes_and_checksums_are_complete(loaded):
    described = [parameters["data_ingestion"] for parameters, *_ in loaded.values()]
    assert described[0].class_names == tuple(string.digits)
    checksums = [sum256 for each in described for sum256 in each.sha256.values()]
    assert len(set(checksums)) == 4 * len(described)
    assert all(each.mirrors for each in described)


@pytest.mark.parametrize("env", ["base", "thorough", "plain", "fashion_mnist", "emnist_letters"])
def test_all_candidates_set_images_upright_but_for_plain_pixels_and_clothes(project, env):
    bootstrap_project(project)
    with KedroSession.create(project, env=env) as session:
        parameters = session.load_context().params
    upright = [] if env in ("plain", "fashion_mnist") else ["mnist_kedro.classifiers.Deskew"]
    for name, candidate in parameters["candidates"].items():
        assert isinstance(candidate, Candidate)  # so it can be built
        assert candidate.transformers == upright
        if upright == [] and name.startswith("mlp"):
            assert candidate.hyperparameters["augmentation"] is None
    assert (parameters["data_split"].sample_size is None) == (env == "thorough")
