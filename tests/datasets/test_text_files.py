import inspect
import re

import pytest
from kedro.io import DatasetError, Version

from mnist_kedro.datasets import MarkdownDataset

CARD = """# Model card

| metric | value |
|---|---|
| `test_log_loss` | 0.02 |

Of `mlp_64`, mlp_128_128
and 2 * 3 * 4.

    kedro run
    kedro viz run
"""


def dataset(folder, save_version=None):
    path = (folder / "card.md").as_posix()
    return MarkdownDataset(filepath=path, version=Version(None, save_version))


@pytest.fixture
def html(tmp_path):
    dataset(tmp_path, "1").save(CARD)
    return dataset(tmp_path).preview()


def text(html):
    return re.sub(r"<[^>]*>", "", html)


def test_the_preview_is_of_the_text_that_was_saved_last(tmp_path):
    dataset(tmp_path, "1").save("# old")
    dataset(tmp_path, "2").save("# new")
    assert dataset(tmp_path).preview().strip() == "<h1>new</h1>"


def test_headings_and_tables_become_html(html):
    assert html.startswith("<h1>Model card</h1> <table> <thead>")
    assert "test_log_loss 0.02" in re.sub(" +", " ", text(html))


def test_names_are_not_italics_in_kedro_viz(html):
    # It makes italics of what is between two such signs on one line.
    assert all(len(re.findall(r"[_*]", line)) <= 1 for line in html.splitlines())
    assert "Of mlp_64, mlp_128_128 and 2 * 3 * 4." in text(html)


def test_lines_of_code_stay_lines(html):
    assert "<pre><code>kedro run\nkedro viz run\n</code></pre>" in html


def test_kedro_viz_is_told_to_show_html():
    annotation = inspect.signature(MarkdownDataset.preview).return_annotation
    assert annotation.__name__ == "HTMLPreview"


def test_there_is_no_preview_before_there_is_a_text(tmp_path):
    with pytest.raises(DatasetError):
        dataset(tmp_path).preview()
