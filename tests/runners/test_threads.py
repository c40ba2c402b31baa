"""What a node says of its threads."""

import pytest
from kedro.pipeline import node

from mnist_kedro.runners.threads import threads_of


@pytest.mark.parametrize(
    ("tags", "threads"),
    [([], 3), (["quick"], 3), (["threads-2"], 2), (["quick", "threads-16"], 16)],
)
def test_a_tag_says_how_many(tags, threads):
    assert threads_of(node(len, "a", "b", tags=tags), otherwise=3) == threads


@pytest.mark.parametrize(
    "tags", [["threads-0"], ["threads-two"], ["threads-"], ["threads-1", "threads-2"]]
)
def test_a_tag_without_one_number_is_refused(tags):
    with pytest.raises(
        ValueError, match="fits: expected one tag such as threads-2, found threads-"
    ):
        threads_of(node(len, "a", "b", tags=tags, name="fits"), otherwise=1)
