"""What a node says of its threads."""

import os

import pytest
from kedro.pipeline import node
from threadpoolctl import threadpool_info

from mnist_kedro.runners.threads import limited_threads, threads_of


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


def test_afterwards_all_is_as_it_was(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    monkeypatch.delenv("LOKY_MAX_CPU_COUNT", raising=False)
    before = threadpool_info()
    with limited_threads(2):
        assert (os.environ["OMP_NUM_THREADS"], os.environ["LOKY_MAX_CPU_COUNT"]) == ("2", "2")
    assert os.environ["OMP_NUM_THREADS"] == "5"
    assert "LOKY_MAX_CPU_COUNT" not in os.environ
    assert threadpool_info() == before
