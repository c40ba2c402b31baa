import inspect

import pytest
from kedro.io import DatasetError, Version

from mnist_kedro.datasets import TextDataset


def dataset(folder, save_version=None):
    return TextDataset(
        filepath=(folder / "card.md").as_posix(), version=Version(None, save_version)
    )


def test_the_preview_is_the_text_that_was_saved_last(tmp_path):
    dataset(tmp_path, "1").save("# old")
    dataset(tmp_path, "2").save("# mlp_128_128\n")
    assert dataset(tmp_path).preview() == "# mlp_128_128\n"


def test_kedro_viz_is_told_to_show_text():
    assert inspect.signature(TextDataset.preview).return_annotation.__name__ == "TextPreview"


def test_there_is_no_preview_before_there_is_a_text(tmp_path):
    with pytest.raises(DatasetError):
        dataset(tmp_path).preview()
