"""Read the digits in anybody's images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator

from mnist_kedro.classifiers.build import Classifier
from mnist_kedro.evaluation.figures import plot_contact_sheet
from mnist_kedro.evaluation.metrics import predict_labels
from mnist_kedro.lazy import Figure, NDArray, np, pd
from mnist_kedro.parameters import Parameters, UserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mnist_kedro.images.image_files import Picture

BATCH = 256  # pictures in memory at once
SHOWN = 24  # digits on the contact sheet
FIRST = ["prediction", "class_name", "confidence"]
SECOND = ["second_prediction", "second_class_name", "second_confidence"]
TYPES = {"prediction": "Int64", "second_prediction": "Int64"}
TYPES |= {"confidence": "float", "second_confidence": "float"}
NO_ANSWER = (None,) * len(FIRST + SECOND)


def _exists(path: Path) -> Path:
    if not path.exists():
        raise UserError(
            f"expected 'inference.images' to name a picture, an IDX, .npy or .csv file, or a "
            f"folder of them, found '{path}', which does not exist"
        )
    return path


class InferenceParameters(Parameters):
    """Which images to read: a file or a folder, or the test images; and with which model."""

    images: Annotated[Path, AfterValidator(_exists)] | None
    model_version: str | None


def predict_images(
    promotion: dict[str, Any],
    final_models: Mapping[str, Callable[[], Classifier]],
    final_manifests: Mapping[str, Callable[[], dict[str, Any]]],
    test_images: NDArray[np.uint8],
    parameters: InferenceParameters,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Predict a label for each image.

    Args:
        promotion: The latest decision: says which model is the champion.
        final_models: What loads each final model, by version.
        final_manifests: The same of their manifests, which have the names of the classes, and the
            confidence below which the model is unsure.
        test_images: `uint8 (n, 28, 28)`, read when `parameters` name no others.
        parameters: May name others, see `image_files.find_pictures`, and another model.

    Returns:
        A row per image: `file`, `prediction`, its `class_name`, `confidence` (its probability), the
        same of the next best in `second_prediction`, `second_class_name` and `second_confidence`,
        and `warning`. And a row per image as Kaggle's Digit Recognizer wants it: `ImageId` (from 1)
        and `Label`, which is the name of the class if all names are numbers. A model without
        probabilities leaves the confidences and the second best empty. An image that cannot be read
        has no prediction, and a warning that says why; else it warns of what is wrong with the
        picture, or that the model is unsure.

    Raises:
        UserError: No image can be read, or there is no such model.
    """
    from tqdm.auto import tqdm

    from mnist_kedro.images.image_files import see_all
    from mnist_kedro.images.normalization import warn_if_unsure

    pictures = _pictures(test_images, parameters)
    version = parameters.model_version or promotion["champion"]["version"]
    final_model, manifest = _load_model(version, final_models, final_manifests)
    names = dict(zip(manifest["classes"], manifest["class_names"], strict=True))
    threshold = manifest.get("confidence_threshold")
    rows: list[tuple[Any, ...]] = []
    with tqdm(desc="inference", unit=" images", leave=False, disable=None) as bar:
        while batch := list(islice(pictures, BATCH)):
            seen = see_all(batch)
            digits = [digit for digit, _ in seen if digit is not None]
            answers = iter(_best_two(final_model, names, digits) if digits else [])
            for picture, (digit, warning) in zip(batch, seen, strict=True):
                answer = NO_ANSWER if digit is None else next(answers)
                sure = answer[FIRST.index("confidence")]
                unsure = warn_if_unsure(sure, threshold, names.values())
                rows.append((picture.name, *answer, warning or unsure))
            bar.update(len(batch))
    predictions = pd.DataFrame(rows, columns=["file", *FIRST, *SECOND, "warning"]).astype(TYPES)
    if predictions["prediction"].isna().all():
        why = predictions["warning"].iloc[0] if rows else "it holds no images"
        where = f"{parameters.images}: "  # with which some reasons begin
        raise UserError(f"{where}expected digits, found none: {why.removeprefix(where)}")
    return predictions, _as_submission(predictions, names.values())


def draw_contact_sheet(
    predictions: pd.DataFrame, test_images: NDArray[np.uint8], parameters: InferenceParameters
) -> Figure:
    """Show what came in, what the model saw and what it said, for the least certain images."""
    order = predictions["confidence"].sort_values(na_position="first", kind="stable").index
    shown = predictions.loc[order[:SHOWN].sort_values()]
    title = f"{len(predictions):,} images"
    if len(predictions) > SHOWN:
        title = f"The {SHOWN} least certain of {title}"
    pictures = [
        (_load(picture), picture.try_to_see()[0])
        for place, picture in enumerate(_pictures(test_images, parameters))
        if place in shown.index
    ]
    return plot_contact_sheet(pictures, shown, title)


def _load_model(
    version: str,
    final_models: Mapping[str, Callable[[], Classifier]],
    final_manifests: Mapping[str, Callable[[], dict[str, Any]]],
) -> tuple[Classifier, dict[str, Any]]:
    if version not in final_manifests:
        raise UserError(
            f"expected the version of a final model, found '{version}': `kedro promote` lists them"
        )
    manifest = final_manifests[version]()
    # A run that went on with what another had left has a manifest that is newer than its model.
    return final_models[manifest["provenance"]["versions"]["final_model"]](), manifest


def _as_submission(predictions: pd.DataFrame, class_names: Iterable[str]) -> pd.DataFrame:
    numbers = all(map(str.isdecimal, class_names))  # such as 1 to 10, where labels are 0 to 9
    answers = pd.to_numeric(predictions["class_name"]) if numbers else predictions["prediction"]
    ids = np.arange(1, len(predictions) + 1)
    return pd.DataFrame({"ImageId": ids, "Label": answers.astype("Int64")})


def _pictures(test_images: NDArray[np.uint8], parameters: InferenceParameters) -> Iterator[Picture]:
    from mnist_kedro.images.image_files import find_pictures, numbered

    if parameters.images is None:
        return numbered("test_images", test_images)
    return find_pictures(parameters.images)


def _best_two(
    model: Classifier, names: Mapping[int, str], digits: Sequence[NDArray[np.uint8]]
) -> list[tuple[Any, ...]]:
    """Return the values of `FIRST` and `SECOND` for each image.

    As plain numbers: small arrays, kept between large ones, would make memory grow with the images.
    """
    labels, probabilities = predict_labels(model, np.stack(digits))
    if probabilities is None:
        return [(label, names[label], *NO_ANSWER[2:]) for label in labels.tolist()]
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :2]
    labels, sure = model.classes_[best], np.take_along_axis(probabilities, best, axis=1)
    return [
        (first, names[first], first_sure, second, names[second], second_sure)
        for (first, second), (first_sure, second_sure) in zip(
            labels.tolist(), sure.tolist(), strict=True
        )
    ]


def _load(picture: Picture) -> NDArray[np.generic] | None:
    try:
        return picture.load()
    except (ValueError, OSError):
        return None
