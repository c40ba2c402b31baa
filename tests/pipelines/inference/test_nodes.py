import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import LinearSVC

from mnist_kedro.classifiers.build import flatten_and_scale
from mnist_kedro.formats.idx import idx_header
from mnist_kedro.images.normalization import read_picture
from mnist_kedro.parameters import UserError
from mnist_kedro.pipelines.inference.nodes import (
    BATCH,
    InferenceParameters,
    draw_contact_sheet,
    predict_images,
)
from tests.drawings import STROKES, draw, on_paper

COLUMNS = [
    *("file", "prediction", "class_name", "confidence"),
    *("second_prediction", "second_class_name", "second_confidence", "warning"),
]
NAMES = list("abcdefghij")
NOTHING = InferenceParameters(images=None, model_version=None)


def manifest_of(version, names=NAMES):
    provenance = {"versions": {"final_model": version}}
    return {"classes": list(range(10)), "class_names": names, "provenance": provenance}


def read(model, images, parameters, names=NAMES, threshold=None):
    """Predict with a model that is the champion."""
    manifest = manifest_of("v", names) | {"confidence_threshold": threshold}
    decision = {"champion": {"version": "v"}}
    return predict_images(
        decision, {"v": lambda: model}, {"v": lambda: manifest}, images, parameters
    )


def reading(path):
    return InferenceParameters.model_validate({"images": path, "model_version": None})


@pytest.fixture(scope="module")
def model(digits):
    return fit(digits, GaussianNB(var_smoothing=1))  # no probability of exactly 0


def fit(digits, estimator):
    model = make_pipeline(FunctionTransformer(flatten_and_scale), estimator)
    return model.fit(digits.train_images, digits.train_labels)


def save_picture(path, ink):
    Image.fromarray(on_paper(ink).astype(np.uint8)).save(path)
    return path


def seen(path):
    with path.open("rb") as file:
        return read_picture(file).image


def texts(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def test_predictions_are_the_models_best_two(digits, model):
    images = digits.test_images[:5]
    predictions, submission = read(model, images, NOTHING)
    assert predictions.columns.tolist() == COLUMNS
    assert predictions["file"].tolist() == [f"test_images#{number}" for number in range(1, 6)]
    probabilities = np.sort(model.predict_proba(images), axis=1)
    assert predictions["prediction"].tolist() == model.predict(images).tolist()
    np.testing.assert_array_equal(predictions["confidence"], probabilities[:, -1])
    np.testing.assert_array_equal(predictions["second_confidence"], probabilities[:, -2])
    second = np.argsort(model.predict_proba(images), axis=1)[:, -2]
    assert predictions["second_prediction"].tolist() == second.tolist()
    assert predictions["class_name"].tolist() == [
        NAMES[label] for label in predictions["prediction"]
    ]
    assert predictions["second_class_name"].tolist() == [NAMES[label] for label in second]
    assert predictions["warning"].isna().all()
    assert submission.to_dict("list") == {
        "ImageId": [1, 2, 3, 4, 5],
        "Label": model.predict(images).tolist(),
    }


def test_pictures_are_brought_to_the_format_and_their_warnings_stand_beside_them(
    digits, model, tmp_path
):
    five = save_picture(tmp_path / "b.png", draw(STROKES[5]))
    tiny = save_picture(tmp_path / "c.gif", draw(STROKES[1], (60, 60), (25, 25), (5, 7), 2))
    two = np.maximum(draw(STROKES[1], corner=(0, 30)), draw(STROKES[1], corner=(90, 30)))
    save_picture(tmp_path / "d.bmp", two)
    save_picture(tmp_path / "e.png", np.zeros((50, 50)))
    (tmp_path / "a.txt").write_text("no picture")
    parameters = reading(tmp_path)
    predictions, submission = read(model, digits.test_images, parameters)
    assert predictions["file"].tolist() == ["a.txt", "b.png", "c.gif", "d.bmp", "e.png"]
    labels = predictions["prediction"].tolist()
    assert labels[1:3] == model.predict(np.stack([seen(five), seen(tiny)])).tolist()
    assert [label is pd.NA for label in labels] == [True, False, False, False, True]
    expected = [
        "that is not a picture",
        None,
        "too small: ",
        "several digits: ",
        "expected a digit",
    ]
    for warning, beginning in zip(predictions["warning"], expected, strict=True):
        assert pd.isna(warning) if beginning is None else warning.startswith(beginning)
    assert predictions["class_name"].isna().tolist() == [True, False, False, False, True]
    assert predictions["confidence"].isna().tolist() == [True, False, False, False, True]
    assert submission["ImageId"].tolist() == [1, 2, 3, 4, 5]
    assert submission["Label"].isna().sum() == 2


def test_images_of_which_the_model_is_unsure_get_a_warning(digits, model):
    images = digits.test_images[:9]
    confidence = model.predict_proba(images).max(axis=1)
    threshold = float(np.median(confidence))
    predictions, _ = read(model, images, NOTHING, list("0123456789"), threshold)
    warned = predictions["warning"] == "this may not be a digit"
    assert warned.tolist() == (confidence < threshold).tolist()
    assert 0 < warned.sum() == predictions["warning"].count()


def test_kaggles_table_becomes_its_submission(digits, model, tmp_path):
    images = digits.test_images[100:103]
    table = pd.DataFrame(images.reshape(3, -1)).add_prefix("pixel")
    table.to_csv(tmp_path / "test.csv", index=False)
    parameters = reading(str(tmp_path / "test.csv"))
    _, submission = read(model, digits.test_images, parameters)
    text = submission.to_csv(index=False)
    assert text.splitlines() == [
        "ImageId,Label",
        *(f"{number},{label}" for number, label in enumerate(model.predict(images), start=1)),
    ]


def test_more_images_than_a_batch_stay_in_order_and_few_are_in_memory(digits, model, tmp_path):
    count = 2 * BATCH + 3
    images = np.resize(digits.test_images, (count, 28, 28))
    path = tmp_path / "mine"
    path.write_bytes(idx_header(images.shape) + images.tobytes())
    sizes = []

    class Watched:
        classes_ = model.classes_

        def predict_proba(self, images):
            sizes.append(len(images))
            return model.predict_proba(images)

    predictions, _ = read(Watched(), images, reading(path))
    assert sizes == [BATCH, BATCH, 3]
    np.testing.assert_array_equal(predictions["prediction"], model.predict(images))
    assert predictions["file"].iloc[[0, -1]].tolist() == ["mine#1", f"mine#{count}"]


def test_a_batch_of_nothing_readable_does_not_keep_the_others_from_being_read(
    digits, model, tmp_path
):
    for number in range(BATCH):
        (tmp_path / f"{number:03}.txt").write_text("no picture")
    save_picture(tmp_path / "z.png", draw(STROKES[5]))
    parameters = reading(tmp_path)
    predictions, _ = read(model, digits.test_images, parameters)
    assert predictions["prediction"].notna().tolist() == [False] * BATCH + [True]
    assert str(predictions["prediction"].dtype) == "Int64"


def test_a_model_without_probabilities_has_labels_only(digits):
    model = fit(digits, LinearSVC())
    predictions, submission = read(model, digits.test_images[:9], NOTHING)
    assert predictions["prediction"].tolist() == model.predict(digits.test_images[:9]).tolist()
    assert submission["Label"].tolist() == predictions["prediction"].tolist()
    others = [
        "confidence",
        "second_prediction",
        "second_class_name",
        "second_confidence",
        "warning",
    ]
    assert predictions[others].isna().all(axis=None)


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("mine", idx_header((1, 20, 20)) + bytes(400), "expected the dimensions"),
        ("mine.csv", b"a,b\n1,2\n", "expected a header and 784 columns"),
        ("mine.png", b"", "that is not a picture"),
    ],
)
def test_a_file_without_a_digit_is_an_error_that_names_it(name, data, why, digits, model, tmp_path):
    file = tmp_path / name
    file.write_bytes(data)
    with pytest.raises(UserError, match=f"{name}: expected digits, found none: {why}"):
        read(model, digits.test_images, reading(file))


def test_an_empty_folder_is_an_error(digits, model, tmp_path):
    with pytest.raises(UserError, match="expected digits, found none: it holds no images"):
        read(model, digits.test_images, reading(tmp_path))


def test_what_is_not_there_is_refused_before_the_run():
    message = "expected 'inference.images' to name a picture, .* found 'nope', which does not exist"
    with pytest.raises(UserError, match=message):
        reading("nope")


def test_the_contact_sheet_shows_all_of_a_few_images(digits, model, tmp_path):
    path = save_picture(tmp_path / "a.png", draw(STROKES[5]))
    (tmp_path / "b.txt").write_text("no picture")
    save_picture(tmp_path / "c.png", np.zeros((50, 50)))
    parameters = reading(tmp_path)
    predictions, _ = read(model, digits.test_images, parameters)
    figure = draw_contact_sheet(predictions, digits.test_images, parameters)
    assert figure.get_suptitle() == "3 images"
    grey, image, blank = (one.get_array() for one in figure.axes[0].images)
    np.testing.assert_array_equal(grey, on_paper(draw(STROKES[5])).astype(np.uint8))
    np.testing.assert_array_equal(image, seen(path))
    assert blank.shape == (50, 50)
    assert texts(figure)[1::3] == ["a.png", "b.txt", "c.png"]


def test_of_many_images_it_shows_the_least_certain_in_their_order(digits, model):
    images = digits.test_images[:100]
    predictions, _ = read(model, images, NOTHING)
    predictions.loc[50:, "confidence"] = np.linspace(0.2, 0.1, 50)
    predictions.loc[:49, "confidence"] = 0.9
    figure = draw_contact_sheet(predictions, images, NOTHING)
    assert figure.get_suptitle() == "The 24 least certain of 100 images"
    assert texts(figure)[1::3] == [f"test_images#{number}" for number in range(77, 101)]
    shown = [one.get_array() for one in figure.axes[0].images]
    np.testing.assert_array_equal(shown[1::2], images[76:])


def test_of_classes_that_are_numbers_the_submission_has_the_names(digits, model):
    names = [str(n + 1) for n in range(10)]
    predictions, submission = read(model, digits.test_images[:20], NOTHING, names)
    assert submission["Label"].tolist() == (predictions["prediction"] + 1).tolist()


def test_another_than_the_champion_reads_if_its_version_is_named(digits, model):
    other = fit(digits, LinearSVC())
    manifests = {"old": lambda: manifest_of("old"), "new": lambda: manifest_of("made before")}
    images, models = digits.test_images[:50], {"old": lambda: other, "made before": lambda: model}
    for version, reader in (("old", other), (None, model)):
        parameters = InferenceParameters(images=None, model_version=version)
        decision = {"champion": {"version": "new"}}
        predictions, _ = predict_images(decision, models, manifests, images, parameters)
        assert predictions["prediction"].tolist() == reader.predict(images).tolist()
    with pytest.raises(
        UserError, match="expected the version of a final model, found 'older': `kedro"
    ):
        predict_images(
            decision,
            models,
            manifests,
            images,
            InferenceParameters(images=None, model_version="older"),
        )
