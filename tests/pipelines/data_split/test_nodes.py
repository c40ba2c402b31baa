import numpy as np
import pytest

from mnist_kedro.parameters import UserError
from mnist_kedro.pipelines.data_split.nodes import DataSplitParameters, split_images

LABELS = np.repeat(np.arange(10, dtype=np.uint8), 100)


def split(labels=LABELS, sample_size=500, validation_fraction=0.2, seed=0):
    parameters = DataSplitParameters(
        sample_size=sample_size, validation_fraction=validation_fraction, seed=seed
    )
    return split_images(labels, parameters)


def test_each_class_has_the_same_share_of_each_split():
    splits = split()
    assert list(splits) == ["index", "label", "split"]
    counts = splits.groupby(["split", "label"]).size()
    assert (counts["train"] == 40).all()
    assert (counts["validation"] == 10).all()


def test_rows_are_distinct_sorted_and_carry_their_labels():
    splits = split()
    assert splits["index"].is_unique
    assert splits["index"].is_monotonic_increasing
    np.testing.assert_array_equal(LABELS[splits["index"]], splits["label"])


def test_unequal_classes_keep_their_shares():
    labels = np.repeat(np.arange(2, dtype=np.uint8), [900, 100])
    counts = split(labels, 100, 0.5).groupby(["split", "label"]).size()
    assert counts.to_dict() == {
        ("train", 0): 45,
        ("train", 1): 5,
        ("validation", 0): 45,
        ("validation", 1): 5,
    }


def test_the_seed_decides():
    assert split(seed=1).equals(split(seed=1))
    assert not split(seed=1).equals(split(seed=2))


@pytest.mark.parametrize("sample_size", [None, len(LABELS), len(LABELS) - 1])
def test_all_and_nearly_all_are_no_special_cases(sample_size, caplog):
    assert len(split(sample_size=sample_size)) == (sample_size or len(LABELS))
    assert not caplog.records


def test_a_sample_larger_than_the_data_is_clipped_with_a_warning(caplog):
    assert len(split(sample_size=10_000)) == len(LABELS)
    assert "10000" in caplog.text
    assert caplog.records[0].levelname == "WARNING"


def test_too_small_a_sample_is_refused():
    with pytest.raises(UserError, match="each of 10 classes .* found 45 and 5 images, too few"):
        split(sample_size=50, validation_fraction=0.1)


@pytest.mark.parametrize("rarest", [1, 2])
def test_a_class_too_rare_for_both_splits_is_refused(rarest):
    labels = np.repeat(np.arange(3, dtype=np.uint8), [500, 500 - rarest, rarest])
    with pytest.raises(UserError, match="each of 3 classes among the images that train"):
        split(labels, sample_size=100)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        *(("sample_size", 0), ("sample_size", True), ("seed", -1)),
        *(("validation_fraction", 0), ("validation_fraction", 1)),
    ],
)
def test_impossible_parameters_are_refused(name, wrong):
    valid = {"sample_size": 100, "validation_fraction": 0.2, "seed": 0}
    with pytest.raises(UserError, match=f"'{name}' should be"):
        DataSplitParameters.model_validate(valid | {name: wrong})
