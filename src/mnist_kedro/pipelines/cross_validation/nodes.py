"""Cross-validate each candidate, and compare what the candidates reach in the same folds."""

from __future__ import annotations

import logging
from typing import Annotated, Any

from pydantic import Field

from mnist_kedro.classifiers.build import Candidate
from mnist_kedro.classifiers.fit import fit_classifier
from mnist_kedro.data.splits import take_splits
from mnist_kedro.evaluation.metrics import by_candidate, mcnemar_p_values, percent, predict_labels
from mnist_kedro.lazy import NDArray, np, pd
from mnist_kedro.parameters import Parameters, UserError

COLUMNS = ["candidate", "folds", "images", "fold_accuracy_mean", "fold_accuracy_std"]
COLUMNS += ["mcnemar_p_value", "t_test_p_value", "fold_fit_seconds", "data"]

logger = logging.getLogger(__name__)


class CrossValidationParameters(Parameters):
    """How the sample is split into folds."""

    folds: Annotated[int, Field(strict=True, ge=2)]
    seed: int = Field(ge=0)


def cross_validate_candidate(
    train_images: NDArray[np.uint8],
    train_labels: NDArray[np.uint8],
    splits: pd.DataFrame,
    dataset_profile: dict[str, Any],
    candidate: Candidate,
    parameters: CrossValidationParameters,
    seed: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """For each fold of the sample, fit a classifier on the others and score it on that one.

    `take_splits` says what the data are, and which it refuses; the column `split` is not read. The
    seed of the parameters is the splitter's, the other one is the candidate's.

    Returns:
        A row per fold: `fold` (from 1), `images`, `validation_accuracy`, `fit_seconds`, `data`; and
        a row per image of the sample: `index`, `label`, `fold` and the `prediction` of the
        classifier that was fitted on the other folds.

    Raises:
        UserError: A class has fewer images than there are folds.
    """
    from sklearn.model_selection import StratifiedKFold

    fewest = splits["label"].value_counts().min()
    if fewest < parameters.folds:
        raise UserError(
            f"expected 'cross_validation.folds' of 2 to {fewest}, the number of images of the "
            f"rarest class, found {parameters.folds}: choose fewer, or raise "
            f"'data_split.sample_size'"
        )
    splitter = StratifiedKFold(parameters.folds, shuffle=True, random_state=parameters.seed)
    scores, predictions = [], splits[["index", "label"]].assign(fold=0, prediction=0)
    for fold, (_, rows) in enumerate(splitter.split(splits, splits["label"]), start=1):
        part = splits.assign(split=np.where(splits.index.isin(rows), "validation", "train"))
        train, (images, labels) = take_splits(train_images, train_labels, part, dataset_profile)
        model, history = fit_classifier(candidate, seed, train)
        predicted, _ = predict_labels(model, images)
        predictions.loc[rows, "fold"], predictions.loc[rows, "prediction"] = fold, predicted
        accuracy, seconds = float((predicted == labels).mean()), history["seconds"].iloc[-1]
        logger.info("Fold %d of %d: %s", fold, parameters.folds, percent(accuracy))
        scores.append((fold, len(rows), accuracy, seconds, dataset_profile["name"]))
    columns = ["fold", "images", "validation_accuracy", "fit_seconds", "data"]
    return pd.DataFrame(scores, columns=columns), predictions


def compare_folds(**results: Any) -> tuple[pd.DataFrame, pd.DataFrame]:  # noqa: ANN401
    """Compare what the candidates reached in the same folds; this chooses no champion.

    Args:
        results: `<candidate>.fold_scores` and `<candidate>.fold_predictions` of each candidate, as
            `cross_validate_candidate` returns them.

    Returns:
        The scores of all candidates, a row per `candidate` and fold; and a row per candidate with
        `COLUMNS`, the most accurate first: mean and standard deviation of its accuracies, the mean
        of its seconds, and p-values of two tests against the first. McNemar's compares the images
        of all folds, `corrected_t_p_value` the accuracies.

    Raises:
        UserError: The candidates did not predict the same images in the same folds.
    """
    predictions = by_candidate("fold_predictions", results)
    _check_same_folds(predictions)
    tables = pd.concat(by_candidate("fold_scores", results), names=["candidate"])
    scores = tables.reset_index("candidate").reset_index(drop=True)
    board = scores.groupby("candidate", as_index=False).agg(
        folds=("fold", "count"),
        images=("images", "sum"),
        fold_accuracy_mean=("validation_accuracy", "mean"),
        fold_accuracy_std=("validation_accuracy", "std"),
        fold_fit_seconds=("fit_seconds", "mean"),
        data=("data", "first"),
    )
    order = ["fold_accuracy_mean", "candidate"]
    board = board.sort_values(order, ascending=[False, True], ignore_index=True)
    names = board["candidate"].tolist()
    reached = scores.pivot(index="fold", columns="candidate", values="validation_accuracy")
    accuracies = reached[names].to_numpy().T
    board["mcnemar_p_value"] = mcnemar_p_values([predictions[name] for name in names])
    board["t_test_p_value"] = [corrected_t_p_value(accuracies[0], each) for each in accuracies]
    return scores, board[COLUMNS]


def corrected_t_p_value(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Return how likely two learners differ this much by chance, over the same folds.

    Corrected resampled t-test of Nadeau and Bengio, 2003 (doi:10.1023/A:1024068626366), two-sided.
    To the `1 / k` of a plain t-test it adds `n_validation / n_train`, which is `1 / (k - 1)` in `k`
    folds: models that share training images do not err independently. It was derived for random
    splits; for the folds of a cross-validation it is an approximation.

    Args:
        one: Accuracy in each fold, `(k,)`.
        other: The same of the other learner.

    Returns:
        Not a number if the difference is the same in every fold, and not 0.
    """
    from scipy.stats import t

    differences = one - other
    if not differences.any():
        return 1.0
    if np.allclose(differences, differences[0]):
        return np.nan
    k = len(differences)
    variance = (1 / k + 1 / (k - 1)) * differences.var(ddof=1)
    return float(2 * t.sf(np.abs(differences.mean()) / np.sqrt(variance), k - 1))


def _check_same_folds(predictions: dict[str, pd.DataFrame]) -> None:
    first, *others = predictions
    same = ["index", "label", "fold"]
    for other in others:
        if not predictions[first][same].equals(predictions[other][same]):
            raise UserError(
                f"expected candidates that predicted the same images in the same folds, found "
                f"{first} and {other}, which did not: run `kedro run --pipelines=cross_validation`"
            )
