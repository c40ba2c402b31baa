"""The real commands, in processes of their own, on the embedded digits."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from PIL import Image

from mnist_kedro.classifiers.build import Candidate
from mnist_kedro.evaluation.metrics import percent
from mnist_kedro.formats.onnx_predict import load_onnx
from tests.kedro_process import load

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
CANDIDATES = ["logistic_regression", "random_forest", "mlp_64", "mlp_128", "mlp_128_128", "cnn"]


def versions(project, path):
    return sorted(folder.name for folder in (project / "data" / path).iterdir())


def only_warning_is(done, text=""):
    """Whether a run logged no warning but those with this text."""
    lines = [line for line in done.stderr.splitlines() if "warning" in line.lower()]
    return all(text and text in line for line in lines)


def test_a_default_run_prints_a_leaderboard_and_no_noise(finished_project):
    _, done = finished_project
    assert "Candidates on embedded digits (not MNIST)" in done.stdout
    assert all(candidate in done.stdout for candidate in CANDIDATES)
    assert "on 360 test images" in " ".join(done.stdout.split())
    # 10,000 images were asked for, and there are 1,437.
    assert only_warning_is(done, "WARNING data_split.sample_size is 10000")


def test_every_stage_saves_what_the_next_reads(finished_project):
    project, _ = finished_project
    profile, splits, leaderboard, champion, metrics, predictions, submission = load(
        project,
        "dataset_profile",
        "splits",
        "leaderboard",
        "champion",
        "final_metrics",
        "predictions",
        "submission",
    )
    assert profile["name"] == "embedded digits (not MNIST)"
    assert splits["split"].value_counts().to_dict() == {"train": 1150, "validation": 287}
    assert sorted(leaderboard["candidate"]) == sorted(CANDIDATES)
    assert leaderboard["validation_accuracy"].is_monotonic_decreasing
    assert leaderboard["validation_accuracy"].min() > 0.85
    winner = leaderboard.loc[leaderboard["champion"], "candidate"]
    assert list(winner) == [champion["candidate"]] == [metrics["candidate"]]
    assert champion["data_sha256"] == profile["data_sha256"]
    assert metrics["n_test"] == 360
    assert metrics["test_accuracy_low"] < metrics["test_accuracy"] < metrics["test_accuracy_high"]
    assert list(predictions["file"]) == [f"test_images#{number}" for number in range(1, 361)]
    assert predictions["confidence"].between(0.1, 1).all()
    assert predictions["warning"].isna().all()
    assert list(submission) == ["ImageId", "Label"]
    assert list(submission["ImageId"]) == list(range(1, 361))
    assert list(submission["Label"]) == list(predictions["label"])
    assert len(pictures(project, "contact_sheet", "07_model_output")) == 1


def test_the_final_model_is_the_one_that_was_scored(finished_project):
    project, _ = finished_project
    model, images, labels, metrics, predictions = load(
        project, "final_model", "test_images", "test_labels", "final_metrics", "predictions"
    )
    np.testing.assert_array_equal(model.predict(images), predictions["label"])
    assert (predictions["label"] == labels).mean() == metrics["test_accuracy"]


def test_every_candidate_and_the_final_model_are_reported(finished_project):
    project, _ = finished_project
    reports = {f"{name}.class_report": f"{name}.validation_predictions" for name in CANDIDATES}
    reports["final_class_report"] = "test_predictions"
    for report, predictions in reports.items():
        classes, rows = load(project, report, predictions)
        assert list(classes) == ["class", "name", "precision", "recall", "f1", "images"]
        assert classes["name"].tolist() == [str(label) for label in classes["class"]]
        assert classes["images"].sum() == len(rows) in (287, 360)
    for name in ["confusion_matrix", "misread_digits"]:
        assert len(pictures(project, f"*/{name}")) == len(CANDIDATES)
        assert len(pictures(project, name)) == 1
    assert len(pictures(project, "reliability_diagram")) == 1


def pictures(project, name, layer="08_reporting"):
    """Paths of the saved pictures of this name, which are small, and are pictures."""
    paths = list((project / "data" / layer).glob(f"{name}.png/*/*.png"))
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths)
    assert all(1_000 < path.stat().st_size < 200_000 for path in paths)
    return paths


def test_the_card_says_what_the_files_say(finished_project):
    project, _ = finished_project
    card, champion, metrics, predictions, suspects = load(
        project, "model_card", "champion", "final_metrics", "test_predictions", "suspected_labels"
    )
    assert card.startswith(f"# Model card: {champion['candidate']}\n")
    assert f"Reads **{percent(metrics['test_accuracy'])} (" in card
    assert champion["reason"] in card
    assert "embedded digits (not MNIST)" in card
    assert f"Expected calibration error {percent(metrics['expected_calibration_error'])}" in card
    assert f"suspects {len(suspects)} of 360 test labels" in card
    (run,) = versions(project, "08_reporting/model_card.md")
    assert f"- run: `{run}`\n" in card
    probabilities = predictions[[f"probability_{digit}" for digit in range(10)]]
    np.testing.assert_allclose(probabilities.max(axis=1), predictions["confidence"], atol=1e-6)
    chosen = predictions.loc[suspects["index"]]
    np.testing.assert_array_equal(chosen["label"], suspects["label"])
    own = probabilities.to_numpy()[suspects["index"], suspects["label"]]
    np.testing.assert_array_equal(own, suspects["label_probability"])


def test_the_manifest_says_how_to_make_the_final_model_again(finished_project):
    project, _ = finished_project
    manifest, champion = load(project, "final_manifest", "champion")
    (run,) = versions(project, "06_models/final_model/model.pkl")
    assert versions(project, "06_models/final_model/manifest.json") == [run]
    provenance = manifest["provenance"]
    assert {provenance["versions"][name] for name in ("train_images", "champion")} == {run}
    assert set(provenance["packages"]) >= {"scikit-learn", "torch", "kedro"}
    assert manifest["settings"] == champion["settings"]
    assert manifest["settings"]["seed"] == 0


def test_the_onnx_export_is_the_final_model(finished_project):
    project, _ = finished_project
    exported, manifest, model, images = load(
        project, "final_onnx", "final_manifest", "final_model", "test_images"
    )
    (run,) = versions(project, "06_models/final_model/model.onnx")
    assert manifest["provenance"]["versions"]["final_onnx"] == run
    assert manifest["onnx"]["sha256"] == hashlib.sha256(exported).hexdigest()
    assert (manifest["onnx"]["compared"], manifest["onnx"]["different_labels"]) == (360, 0)
    assert manifest["onnx"]["largest_probability_difference"] < 1e-5
    labels = np.array(manifest["classes"])[load_onnx(exported)(images).argmax(axis=1)]
    np.testing.assert_array_equal(labels, model.predict(images))


@pytest.mark.parametrize("spelling", ["--pipeline=final", "--pipelines=final"])
def test_final_runs_on_what_is_saved(used_project, run_kedro, spelling):
    before = load(used_project, "predictions")[0]
    done = run_kedro(used_project, "run", spelling)
    assert done.returncode == 0, done.stderr
    assert only_warning_is(done)
    first, second = versions(used_project, "06_models/final_model/model.pkl")
    (manifest,) = load(used_project, "final_manifest")
    assert manifest["provenance"]["versions"]["champion"] == first
    assert manifest["provenance"]["run_id"] == second
    pd.testing.assert_frame_equal(load(used_project, "predictions")[0], before)


def test_final_on_an_empty_clone_says_what_to_run_first(project, run_kedro):
    done = run_kedro(project, "run", "--pipeline=final")
    assert done.returncode == 1
    assert done.stderr == (
        "Error: expected champion, dataset_profile, splits, test_images, test_labels, "
        "train_images, train_labels to be saved by an earlier run, found nothing: run `kedro run` "
        "first, or just the stage or candidate that saves it\n"
    )
    assert not (project / "data").exists()


def test_final_refuses_other_data_than_the_champion_was_chosen_on(used_project, run_kedro):
    for path in (used_project / "data/01_raw/train-labels-idx1-ubyte").rglob("*ubyte"):
        if path.is_file():
            content = bytearray(path.read_bytes())
            content[8] = 9 - content[8]
            path.write_bytes(content)
    done = run_kedro(used_project, "run", "--pipelines=final")
    assert done.returncode == 1
    assert "Error: expected train_labels to be the data of the stages before" in done.stderr
    assert "run `kedro run` from the start" in done.stderr
    assert len(versions(used_project, "06_models/final_model/model.pkl")) == 1


def test_final_refuses_other_splits_than_the_champion_was_chosen_on(used_project, run_kedro):
    other = ("--pipelines=data_split", "--params=data_split.sample_size=500")
    assert run_kedro(used_project, "run", *other).returncode == 0
    done = run_kedro(used_project, "run", "--pipelines=final")
    assert done.returncode == 1
    assert "Error: expected 'splits' to be those on which the champion was chosen" in done.stderr
    assert "run `kedro run --pipelines=model_training,model_selection`" in done.stderr
    assert len(versions(used_project, "06_models/final_model/model.pkl")) == 1


def test_a_torn_model_is_refused_in_one_sentence(used_project, run_kedro):
    (file,) = (used_project / "data/06_models/final_model/model.pkl").glob("*/model.pkl")
    file.write_bytes(file.read_bytes()[:-1])
    done = run_kedro(used_project, "run", "--pipelines=inference")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    *_, last = done.stderr.splitlines()
    assert last.startswith("Error: final_model: ")
    assert last.endswith("the file is torn or was changed, so fit the model again")


def test_a_second_ingestion_costs_no_disk(used_project, run_kedro):
    done = run_kedro(
        used_project, "run", "--pipelines=data_ingestion", "--params=data_ingestion.source=embedded"
    )
    assert done.returncode == 0, done.stderr
    for name in ("train-images-idx3-ubyte", "t10k-labels-idx1-ubyte"):
        files = [p for p in (used_project / "data/01_raw" / name).rglob(name) if p.is_file()]
        assert len(files) == 2
        assert len({file.stat().st_ino for file in files}) == 1


def test_a_scikit_learn_model_is_added_by_one_yaml_block(used_project, run_kedro):
    path = used_project / "conf/base/parameters_model_training.yml"
    parameters = yaml.safe_load(path.read_text())
    parameters["candidates"] = {
        "support_vectors": {"estimator": "sklearn.svm.SVC", "hyperparameters": {"C": 10}},
        "random_forest": parameters["candidates"]["random_forest"],
    }
    path.write_text(yaml.safe_dump(parameters))
    done = run_kedro(used_project, "run", "--pipelines=model_training,model_selection,final")
    assert done.returncode == 0, done.stderr
    leaderboard, model = load(used_project, "leaderboard", "support_vectors.model")
    assert set(leaderboard["candidate"]) == {"support_vectors", "random_forest"}
    row = leaderboard.set_index("candidate").loc["support_vectors"]
    assert row["validation_accuracy"] > 0.9
    assert np.isnan(row["log_loss"])
    assert len(pictures(used_project, "support_vectors/misread_digits")) == 1
    assert model.steps[-1][1].C == 10


@pytest.mark.parametrize(
    ("arguments", "model", "count"),
    [
        (["--namespaces=random_forest"], "random_forest", 2),
        (["--namespaces=random_forest"], "mlp_64", 1),
        (["--namespaces=final_training"], "final_model", 2),
        (["--namespaces=cnn,model_selection", "--runner=ThreadRunner"], "cnn", 2),
        (["--from-nodes=logistic_regression.report_mistakes"], "logistic_regression", 1),
        (["--pipelines=data_split", "--params=data_split.sample_size=500"], "cnn", 1),
    ],
)
def test_parts_run_alone(used_project, run_kedro, arguments, model, count):
    done = run_kedro(used_project, "run", *arguments)
    assert done.returncode == 0, done.stderr
    assert len(versions(used_project, f"06_models/{model}/model.pkl")) == count


def test_parameters_and_versions_can_be_chosen(used_project, run_kedro):
    split = ["--pipelines=data_split", "--params=data_split.sample_size=500"]
    assert run_kedro(used_project, "run", *split).returncode == 0
    old, _ = versions(used_project, "05_model_input/splits.csv")
    train = ["--namespaces=logistic_regression"]
    assert run_kedro(used_project, "run", *train).returncode == 0
    assert len(load(used_project, "logistic_regression.validation_predictions")[0]) == 100
    done = run_kedro(used_project, "run", "--pipelines=model_selection")
    assert done.returncode == 1
    assert "validated on different images" in done.stderr
    done = run_kedro(used_project, "run", *train, f"--load-versions=splits:{old}")
    assert done.returncode == 0, done.stderr
    assert len(load(used_project, "logistic_regression.validation_predictions")[0]) == 287
    assert run_kedro(used_project, "run", "--pipelines=model_selection").returncode == 0


@pytest.mark.parametrize("runner", ["SequentialRunner", "ParallelRunner"])
def test_a_torn_file_ends_in_one_sentence(used_project, run_kedro, runner):
    (file,) = (used_project / "data/01_raw/train-labels-idx1-ubyte").glob("*/*")
    file.write_bytes(file.read_bytes()[:-1])
    done = run_kedro(used_project, "run", "--pipelines=data_split", f"--runner={runner}")
    assert done.returncode == 1
    *_, last = done.stderr.splitlines()
    assert last.startswith("Error: train_labels: ")
    assert "expected 1,437 bytes of data for the dimensions (1437,), found 1,436" in last
    assert "Traceback" not in done.stderr


def test_without_a_network_the_run_falls_back_on_the_embedded_digits(project, run_kedro):
    path = project / "conf/base/parameters_data_ingestion.yml"
    path.write_text(re.sub(r"https://\S+", "http://127.0.0.1:9/", path.read_text()))
    done = run_kedro(project, "run", "--pipelines=data_ingestion")
    assert done.returncode == 0, done.stderr
    assert "THIS IS NOT MNIST" in done.stderr
    assert load(project, "dataset_profile")[0]["name"] == "embedded digits (not MNIST)"


def test_an_environment_changes_what_it_names_and_keeps_the_rest(used_project, run_kedro):
    (used_project / "conf/small").mkdir()
    (used_project / "conf/small/parameters.yml").write_text("data_split: {sample_size: 300}\n")
    done = run_kedro(used_project, "run", "--pipelines=data_split", "--env=small")
    assert done.returncode == 0, done.stderr
    assert len(load(used_project, "splits")[0]) == 300


def test_the_thorough_environment_has_better_settings_for_every_candidate(project):
    bootstrap_project(project)
    found = {}
    for env in ("base", "thorough"):
        with KedroSession.create(project, env=env) as session:
            found[env] = session.load_context().params
    assert found["thorough"]["data_split"].sample_size is None
    for name in CANDIDATES:
        base, thorough = (found[env]["candidates"][name] for env in ("base", "thorough"))
        assert isinstance(thorough, Candidate)  # so it can be built
        assert base.estimator == thorough.estimator
        assert base != thorough


def test_all_candidates_can_be_scored_on_the_test_images(used_project, run_kedro):
    done = run_kedro(used_project, "run", "--pipelines=test_all")
    assert done.returncode == 0, done.stderr
    names = ["test_leaderboard", "mlp_64.model", "test_images", "test_labels"]
    table, model, images, labels = load(used_project, *names)
    assert set(table["candidate"]) == set(CANDIDATES)
    accuracy = table.set_index("candidate")["test_accuracy"]["mlp_64"]
    assert accuracy == (model.predict(images) == labels).mean()
    assert f"mlp_64               {100 * accuracy:.2f} %" in done.stdout


def test_the_wheel_runs_with_the_configuration_beside_it(project, tmp_path):
    """As `kedro package` builds it, but with the build tools that are installed."""
    clone = tmp_path / "clone"
    shutil.copytree(ROOT / "src", clone / "src")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, clone)
    pip = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-build-isolation", "--quiet"]
    subprocess.run([*pip, "--target", tmp_path / "site", clone], check=True)
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    stages = "--pipelines=data_ingestion,data_split"
    options = [f"--conf-source={project / 'conf'}", "--params=data_ingestion.source=embedded"]
    done = subprocess.run(
        [sys.executable, "-m", "mnist_kedro", stages, *options],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert list((folder / "data/05_model_input/splits.csv").glob("*/splits.csv"))


@pytest.mark.parametrize(
    ("parameter", "sentence"),
    [
        ("data_split.folds=1", "should be greater than or equal to 2, found 1"),
        ("candidates.mlp_6.epochs=3", "unknown parameter 'candidates.mlp_6'"),
        ("candidates.cnn.hyperparameters.epocs=3", "did you mean 'epochs'?"),
        ("candidates.cnn.estimator=sklearn.Forest", "unknown estimator 'sklearn.Forest'"),
        ("candidates.random_forest.hyperparameters.n_estimators=0", "Got 0 instead."),
        ("data_split.validation_fraction=1.5", "should be less than 1, found 1.5"),
        ("data_ingestion.source=nowhere", "nowhere', which is no folder"),
    ],
)
def test_a_mistake_ends_in_one_sentence_before_anything_is_saved(
    project, run_kedro, parameter, sentence
):
    done = run_kedro(project, "run", "--params", parameter)
    assert done.returncode == 1
    assert sentence in done.stderr.splitlines()[-1]
    assert done.stderr.splitlines()[-1].startswith("Error: ")
    assert "Traceback" not in done.stderr
    assert not list(project.glob("data/**/*.*"))


@pytest.mark.parametrize("runner", ["SequentialRunner", "ParallelRunner"])
def test_an_error_of_a_node_is_told_once_with_the_name_of_the_node(used_project, run_kedro, runner):
    rate = "--params=candidates.mlp_64.hyperparameters.learning_rate=1e30"
    done = run_kedro(used_project, "run", "--namespaces=mlp_64", rate, f"--runner={runner}")
    assert done.returncode == 1
    assert done.stderr.count("expected a finite loss") == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("Error: expected a finite loss, found")
    assert last.endswith("(in mlp_64.train_candidate)")
    assert "Traceback" not in done.stderr


def test_kedros_other_commands_work(used_project, run_kedro):
    names = run_kedro(used_project, "registry", "list").stdout
    assert yaml.safe_load(names)[0] == "__default__"
    described = run_kedro(used_project, "catalog", "describe-datasets", "--pipeline=final")
    assert "final_model" in described.stdout
    patterns = run_kedro(used_project, "catalog", "list-patterns")
    assert "{candidate}.model" in patterns.stdout
    resolved = run_kedro(used_project, "catalog", "resolve-patterns")
    assert "cnn/model.pkl" in resolved.stdout


def test_ingestion_from_a_folder_names_it(project, run_kedro, tiny_arrays, write_idx_folder):
    write_idx_folder(project / "mine", tiny_arrays)
    done = run_kedro(
        project, "run", "--pipelines=data_ingestion", "--params=data_ingestion.source=mine"
    )
    assert done.returncode == 0, done.stderr
    profile, images = load(project, "dataset_profile", "train_images")
    assert profile["name"] == "mine (not MNIST)"
    np.testing.assert_array_equal(images, tiny_arrays.train_images)
    shutil.rmtree(project / "mine")
    np.testing.assert_array_equal(load(project, "train_images")[0], tiny_arrays.train_images)


def test_files_may_have_any_name(used_project, run_kedro, tmp_path):
    folder = tmp_path / "digits"
    folder.mkdir()
    image = load(used_project, "test_images")[0][0]
    for name in ("1", "2", "NA"):
        Image.fromarray(255 - image).save(folder / name, "PNG")
    done = run_kedro(
        *(used_project, "run", "--pipelines=inference"),
        *("--params", f"inference.images={folder}"),
    )
    assert done.returncode == 0, done.stderr
    (predictions,) = load(used_project, "predictions")
    assert list(predictions["file"]) == ["1", "2", "NA"]
    assert "Predicted 3 of 3 images" in done.stdout
