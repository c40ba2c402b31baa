"""Whole runs on other data than MNIST: clothes, people's own pictures, an extra test."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mnist_kedro.data.sources import embedded_digits
from tests.drawings import STROKES, draw, on_paper
from tests.faults.projects import EMBEDDED, Project
from tests.kedro_process import load

pytestmark = pytest.mark.slow

DEBIANS = Path("/usr/share/datasets/fashion-mnist")
PENS = range(6, 16)  # a picture with each
UNTRACKED = "--params=tracking.enabled=false"
READ = ("mlp_64",)


def draw_digits(folder, names, pens=PENS):
    """Save a picture of each of these digits with each pen, in a folder per class."""
    for name, digit in names.items():
        (folder / name).mkdir(parents=True)
        for pen in pens:
            grey = on_paper(draw(STROKES[digit], pen=pen)).astype(np.uint8)
            Image.fromarray(grey).save(folder / name / f"{pen}.png")


def run(project, *arguments):
    done = project.run(*arguments)
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.skipif(
    not DEBIANS.is_dir(), reason=f"no {DEBIANS}: apt-get install dataset-fashion-mnist"
)
def test_clothes(tmp_path):
    project = Project(tmp_path, READ, parameters={})
    quick = "candidates.mlp_64.hyperparameters.epochs=3"
    run(project, "--env=fashion_mnist", f"{UNTRACKED},data_ingestion.source={DEBIANS},{quick}")
    names = ("predictions", "final_metrics", "final_manifest")
    predictions, metrics, manifest = load(project.folder, *names, env="fashion_mnist")
    assert set(predictions["class_name"]) == set(manifest["class_names"])
    assert (metrics["data"], metrics["n_test"]) == ("Fashion-MNIST", 10_000)  # known by its sha256
    assert 0.83 < metrics["test_accuracy"] < 0.92
    assert manifest["class_names"][-1] == "Ankle boot"
    assert {path.name for path in (project.folder / "data").iterdir()} == {"fashion_mnist"}


def test_a_folder_of_peoples_own_pictures(tmp_path):
    project = Project(tmp_path, READ, parameters={})
    names = {"one": 1, "seven": 7, "two": 2}
    draw_digits(tmp_path / "mine/train", names)
    draw_digits(tmp_path / "mine/test", names, pens=(7, 11))
    source = f"data_ingestion.source={tmp_path / 'mine'}"
    pictures = f"inference.images={tmp_path / 'mine/test/seven'}"
    run(project, f"{UNTRACKED},{source},{pictures}")
    metrics, tested, read = load(project.folder, "final_metrics", "test_predictions", "predictions")
    assert metrics["test_accuracy"] == 1
    assert tested["label"].tolist() == [0, 0, 1, 1, 2, 2]
    assert read["class_name"].tolist() == ["seven", "seven"]


def test_own_pictures_beside_the_data_set_and_a_second_test(tmp_path):
    project = Project(tmp_path, READ, parameters=EMBEDDED)
    draw_digits(tmp_path / "mine/train", {"4": 4, "7": 7})
    draw_digits(tmp_path / "others/test", {"4": 4, "7": 7}, pens=(8, 12))
    more = f"data_ingestion.extra_train_folder={tmp_path / 'mine'}"
    second = f"final_training.extra_test={tmp_path / 'others'}"
    done = run(project, f"{UNTRACKED},{more},{second}")
    profile, metrics = load(project.folder, "dataset_profile", "final_metrics")
    embedded = len(embedded_digits().train_labels)
    assert profile["train"]["dimensions"][0] == embedded + 2 * len(PENS)
    assert profile["test"]["dimensions"][0] == metrics["n_test"] == 360
    assert (metrics["extra_test"], metrics["n_extra_test"]) == ("others", 4)
    assert metrics["extra_test_accuracy"] >= 0.75
    assert "others" in done.stdout
