"""Images and labels of the splits, and one checksum for the table of splits."""

import hashlib

import numpy as np
import pandas as pd
import pytest

from mnist_kedro.data import splits as module
from mnist_kedro.data.splits import splits_sha256, take_splits, verify_splits
from mnist_kedro.formats.idx import idx_sha256
from mnist_kedro.parameters import UserError


@pytest.fixture
def table(tiny_arrays):
    index = np.random.default_rng(0).permutation(30)[:20]
    split = ["train", "validation", "train", "train"] * 5
    return pd.DataFrame({"index": index, "label": tiny_arrays.train_labels[index], "split": split})


@pytest.fixture
def profile(tiny_arrays):
    return {"sha256": {key: idx_sha256(array) for key, array in tiny_arrays._asdict().items()}}


@pytest.mark.parametrize("limit", [2**30, 0], ids=["in memory", "in a file"])
def test_the_rows_of_each_split_are_taken(tiny_arrays, table, profile, monkeypatch, limit):
    monkeypatch.setattr(module, "MAX_UNPACKED_BYTES", limit)
    images, labels, *_ = tiny_arrays
    taken = take_splits(images, labels, table, profile)
    for name, found in zip(("train", "validation"), taken, strict=True):
        rows = table["index"][table["split"] == name]
        np.testing.assert_array_equal(found[0], images[rows])
        np.testing.assert_array_equal(found[1], labels[rows])


def test_other_images_or_splits_are_refused(tiny_arrays, table, profile):
    images, labels, *_ = tiny_arrays
    with pytest.raises(UserError, match="expected train_images to be the data of the stages"):
        take_splits(images[::-1], labels, table, profile)
    for other in (table.assign(label=9), table.assign(index=30)):
        with pytest.raises(UserError, match="expected 'splits' to be made from these"):
            take_splits(images, labels, other, profile)


def test_the_checksum_is_that_of_the_table_as_a_file(table):
    expected = hashlib.sha256(table.to_csv(index=False).encode()).hexdigest()
    assert splits_sha256(table) == expected
    assert splits_sha256(table.astype({"label": int, "split": "category"})) == expected
    verify_splits(table, expected)
    with pytest.raises(UserError, match="expected 'splits' to be those on which the champion"):
        verify_splits(table[::-1], expected)
