"""The real commands, in processes of their own, on the embedded digits."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import mlflow
import numpy as np
import pytest
import yaml
from PIL import Image

from mnist_kedro.evaluation.metrics import percent
from mnist_kedro.formats.onnx_predict import load_onnx
from mnist_kedro.pipelines.data_ingestion.nodes import EMBEDDED_NAME
from tests.kedro_process import load

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
CANDIDATES = ["logistic_regression", "random_forest", "mlp_64", "mlp_128", "mlp_128_128", "cnn"]


def versions(project, path):
    return sorted(folder.name for folder in (project / "data" / path).iterdir())


def pictures(project, name, layer="08_reporting"):
    """Paths of the saved pictures of this name, which are small, and are pictures."""
    paths = list((project / "data" / layer).glob(f"{name}.png/*/*.png"))
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths)
    assert all(1_000 < path.stat().st_size < 200_000 for path in paths)
    return paths


def run(run_kedro, project, *arguments):
    done = run_kedro(project, "run", *arguments)
    assert done.returncode == 0, done.stderr
    return done


def test_a_default_run_prints_a_leaderboard_and_no_noise(finished_project):
    _, done = finished_project
    assert "Candidates on embedded digits (not MNIST)" in done.stdout
    assert all(candidate in done.stdout for candidate in CANDIDATES)
    assert "on 360 test images" in " ".join(done.stdout.split())
    # 10,000 images were asked for, and there are 1,437.
    warnings = [line for line in done.stderr.splitlines() if "warning" in line.lower()]
    assert all("WARNING data_split.sample_size is 10000" in line for line in warnings)


def test_every_stage_saves_what_the_next_reads(finished_project):
    project, _ = finished_project
    names = ("dataset_profile", "splits", "leaderboard", "champion", "final_metrics")
    profile, splits, leaderboard, champion, metrics = load(project, *names)
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


def test_the_final_model_its_export_and_the_registered_one_are_what_was_scored(
    finished_project, monkeypatch
):
    project, _ = finished_project
    names = ("final_model", "final_onnx", "final_manifest", "test_images", "test_labels")
    model, exported, manifest, images, labels = load(project, *names)
    metrics, predictions, submission = load(project, "final_metrics", "predictions", "submission")
    predicted = model.predict(images)
    assert (predicted == labels).mean() == metrics["test_accuracy"]
    assert manifest["onnx"]["sha256"] == hashlib.sha256(exported).hexdigest()
    assert (manifest["onnx"]["compared"], manifest["onnx"]["different_labels"]) == (360, 0)
    by_onnx = np.array(manifest["classes"])[load_onnx(exported)(images).argmax(axis=1)]
    np.testing.assert_array_equal(by_onnx, predicted)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{project / 'mlflow.db'}")
    registered = mlflow.pyfunc.load_model(f"models:/{EMBEDDED_NAME}@champion")
    np.testing.assert_array_equal(registered.predict(images), predicted)
    assert list(predictions["file"]) == [f"test_images#{number}" for number in range(1, 361)]
    np.testing.assert_array_equal(predictions["prediction"], predicted)
    assert predictions["confidence"].between(0.1, 1).all()
    unsure = predictions["confidence"] < manifest["confidence_threshold"]
    assert predictions["warning"].dropna().to_dict() == dict.fromkeys(
        predictions.index[unsure], "this may not be a digit"
    )
    assert list(submission["ImageId"]) == list(range(1, 361))
    assert list(submission["Label"]) == list(predicted)
    assert len(pictures(project, "contact_sheet", "07_model_output")) == 1


def test_the_manifest_says_how_to_make_the_final_model_again(finished_project):
    project, _ = finished_project
    manifest, champion = load(project, "final_manifest", "champion")
    (version,) = versions(project, "06_models/final_model/model.pkl")
    provenance = manifest["provenance"]
    read = ("train_images", "champion", "final_onnx")
    assert {provenance["versions"][name] for name in read} == {version}
    assert set(provenance["packages"]) >= {"scikit-learn", "torch", "kedro"}
    assert manifest["settings"] == champion["settings"]
    assert manifest["settings"]["seed"] == 0


def test_every_candidate_and_the_final_model_are_reported(finished_project):
    project, _ = finished_project
    assert len(pictures(project, "*/report")) == len(CANDIDATES)
    assert len(pictures(project, "final_report")) == 1
    assert len(pictures(project, "reliability_diagram")) == 1


def test_the_card_says_what_the_files_say(finished_project):
    project, _ = finished_project
    names = ("model_card", "champion", "final_metrics", "test_predictions", "label_issues")
    card, champion, metrics, predictions, suspects = load(project, *names)
    assert card.startswith(f"# Model card: {champion['candidate']}\n")
    assert f"**{percent(metrics['test_accuracy'])} (" in card
    assert champion["reason"] in card
    assert "embedded digits (not MNIST)" in card
    assert percent(metrics["test_expected_calibration_error"]) in card
    assert versions(project, "08_reporting/model_card.md")[0] in card
    probabilities = predictions[[f"probability_{digit}" for digit in range(10)]]
    np.testing.assert_allclose(probabilities.max(axis=1), predictions["confidence"], atol=1e-6)
    chosen = predictions.loc[suspects["index"]]
    np.testing.assert_array_equal(chosen["label"], suspects["given_label"])
    own = probabilities.to_numpy()[suspects["index"], suspects["given_label"]]
    np.testing.assert_array_equal(own, suspects["label_quality"])


def test_final_runs_on_what_is_saved_and_refuses_other_data(used_project, run_kedro):
    done = run(run_kedro, used_project, "--pipeline=final")
    assert "warning" not in done.stderr.lower()
    first, second = versions(used_project, "06_models/final_model/model.pkl")
    (manifest,) = load(used_project, "final_manifest")
    assert manifest["provenance"]["versions"]["champion"] == first
    assert manifest["provenance"]["run_id"] == second
    (path,) = (used_project / "data/01_raw/train-labels-idx1-ubyte").glob("*/*")
    content = bytearray(path.read_bytes())
    content[8] = 9 - content[8]
    path.write_bytes(content)
    done = run_kedro(used_project, "run", "--pipelines=final")
    assert done.returncode == 1
    assert "Error: expected train_labels to be the data of the stages before" in done.stderr


def test_parts_run_alone_and_versions_can_be_chosen(used_project, run_kedro):
    run(run_kedro, used_project, "--pipelines=data_split", "--params=data_split.sample_size=500")
    done = run_kedro(used_project, "run", "--pipelines=final")
    assert done.returncode == 1
    assert "Error: expected 'splits' to be those on which the champion was chosen" in done.stderr
    train = "--namespaces=logistic_regression"
    run(run_kedro, used_project, train)
    assert len(load(used_project, "logistic_regression.validation_predictions")[0]) == 100
    done = run_kedro(used_project, "run", "--pipelines=model_selection")
    assert done.returncode == 1
    assert "validated on different images" in done.stderr
    first, _ = versions(used_project, "05_model_input/splits.csv")
    run(run_kedro, used_project, train, f"--load-versions=splits:{first}")
    run(run_kedro, used_project, "--from-nodes=logistic_regression.report_mistakes")
    assert len(versions(used_project, "06_models/logistic_regression/model.pkl")) == 3
    assert len(versions(used_project, "06_models/mlp_64/model.pkl")) == 1


def test_the_champion_reads_until_another_is_promoted(used_project, run_kedro):
    def read(*options):
        done = run(run_kedro, used_project, "--pipelines=inference", *options)
        return re.search(r"version\s+(\S+)\.\s", done.stdout)[1]

    (first,) = versions(used_project, "06_models/final_model/model.pkl")
    run(run_kedro, used_project, "--pipelines=final_training")
    _, second = versions(used_project, "06_models/final_model/model.pkl")
    assert read() == second
    assert read(f"--params=inference.model_version={first}") == first
    assert run_kedro(used_project, "promote", first).returncode == 0
    assert read() == first
    listed = run_kedro(used_project, "promote")
    rows = [line.split() for line in listed.stdout.splitlines() if line.strip().startswith("20")]
    assert [(row[0], row[-1] == "champion") for row in rows] == [(second, False), (first, True)]
    done = run_kedro(used_project, "promote", "nowhere")
    assert done.returncode == 1
    sentence = "expected the version of a final model, found 'nowhere': `kedro promote` lists them"
    assert done.stderr == f"Error: {sentence}\n"


@pytest.mark.parametrize(
    ("path", "stage", "sentence"),
    [
        (
            "06_models/final_model/model.pkl",
            "inference",
            "the file was changed, so fit the model again",
        ),
        (
            "01_raw/train-labels-idx1-ubyte",
            "data_split",
            "expected 1,437 bytes of data for dimensions (1437,), found 1,436",
        ),
    ],
)
def test_a_torn_file_ends_in_one_sentence(used_project, run_kedro, path, stage, sentence):
    (file,) = (used_project / "data" / path).glob(f"*/{Path(path).name}")
    file.write_bytes(file.read_bytes()[:-1])
    done = run_kedro(used_project, "run", f"--pipelines={stage}")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("Error: ")
    assert sentence in done.stderr.splitlines()[-1]


def test_a_scikit_learn_model_is_added_by_one_yaml_block(used_project, run_kedro):
    path = used_project / "conf/base/parameters_model_training.yml"
    parameters = yaml.safe_load(path.read_text())
    parameters["candidates"] = {
        "support_vectors": {"estimator": "sklearn.svm.SVC", "hyperparameters": {"C": 10}},
        "logistic_regression": parameters["candidates"]["logistic_regression"],
    }
    path.write_text(yaml.safe_dump(parameters))
    run(run_kedro, used_project, "--pipelines=model_training,model_selection,final")
    leaderboard, model = load(used_project, "leaderboard", "support_vectors.model")
    assert set(leaderboard["candidate"]) == {"support_vectors", "logistic_regression"}
    row = leaderboard.set_index("candidate").loc["support_vectors"]
    assert row["validation_accuracy"] > 0.9
    assert np.isnan(row["validation_log_loss"])
    assert len(pictures(used_project, "support_vectors/report")) == 1
    assert model.steps[-1][1].C == 10


def test_without_a_network_the_run_falls_back_on_the_embedded_digits(project, run_kedro):
    path = project / "conf/base/parameters_data_ingestion.yml"
    path.write_text(re.sub(r"https://\S+/", "http://127.0.0.1:9/", path.read_text()))
    done = run(run_kedro, project, "--pipelines=data_ingestion")
    assert "THIS IS NOT MNIST" in done.stderr
    assert load(project, "dataset_profile")[0]["name"] == "embedded digits (not MNIST)"


def test_an_environment_changes_what_it_names_and_keeps_the_rest(used_project, run_kedro):
    (used_project / "conf/small").mkdir()
    (used_project / "conf/small/parameters.yml").write_text("data_split: {sample_size: 300}\n")
    run(run_kedro, used_project, "--pipelines=data_split", "--env=small")
    assert len(load(used_project, "splits")[0]) == 300


def test_all_candidates_can_be_scored_on_the_test_images(used_project, run_kedro):
    done = run(run_kedro, used_project, "--pipelines=test_all")
    names = ["test_leaderboard", "mlp_64.model", "test_images", "test_labels"]
    table, model, images, labels = load(used_project, *names)
    assert set(table["candidate"]) == set(CANDIDATES)
    accuracy = table.set_index("candidate")["test_accuracy"]["mlp_64"]
    assert accuracy == (model.predict(images) == labels).mean()
    assert f"{100 * accuracy:.2f} %" in done.stdout


def test_files_may_have_any_name(used_project, run_kedro, tmp_path):
    folder = tmp_path / "digits"
    folder.mkdir()
    image = load(used_project, "test_images")[0][0]
    for name in ("1", "2", "NA"):
        Image.fromarray(255 - image).save(folder / name, "PNG")
    options = ("--pipelines=inference", "--params", f"inference.images={folder}")
    done = run(run_kedro, used_project, *options)
    (predictions,) = load(used_project, "predictions")
    assert list(predictions["file"]) == ["1", "2", "NA"]
    assert "Predicted 3 of 3 images" in done.stdout


def test_kedros_other_commands_work(used_project, run_kedro):
    names = run_kedro(used_project, "registry", "list").stdout
    assert yaml.safe_load(names)[0] == "__default__"
    described = run_kedro(used_project, "catalog", "describe-datasets", "--pipeline=final")
    assert "final_model" in described.stdout
    resolved = run_kedro(used_project, "catalog", "resolve-patterns")
    assert "cnn/model.pkl" in resolved.stdout


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
    options = [f"--conf-source={project / 'conf'}", "--params=data_ingestion.source=embedded"]
    done = subprocess.run(
        [sys.executable, "-m", "mnist_kedro", "--pipelines=data_ingestion,data_split", *options],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert list((folder / "data/05_model_input/splits.csv").glob("*/splits.csv"))
