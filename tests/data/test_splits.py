"""One checksum for a table of splits, whichever way it is held and however long it is."""

import hashlib

import numpy as np
import pandas as pd
import pytest

from mnist_kedro.data import splits as module
from mnist_kedro.data.splits import splits_sha256

TABLE = pd.DataFrame(
    {
        "index": np.arange(10),
        "label": np.arange(10, dtype=np.uint8),
        "split": ["train", "validation"] * 5,
    }
)


@pytest.mark.parametrize("rows", [1, 3, 5, 10, 100])
def test_the_checksum_is_that_of_the_table_as_a_file(monkeypatch, rows):
    monkeypatch.setattr(module, "ROWS", rows)
    expected = hashlib.sha256(TABLE.to_csv(index=False).encode()).hexdigest()
    assert splits_sha256(TABLE) == expected
    assert splits_sha256(TABLE.astype({"label": int, "split": "category"})) == expected
    assert splits_sha256(TABLE[::-1]) != expected
