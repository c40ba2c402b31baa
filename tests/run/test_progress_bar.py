import logging

import pytest

from mnist_kedro.run import progress_bar
from mnist_kedro.run.progress_bar import Progress, duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0.0 s"), (10.84, "10.8 s"), (59.4, "59.4 s"), (59.7, "1 min 0 s"), (4205, "70 min 5 s")],
)
def test_durations_read_well(seconds, text):
    assert duration(seconds) == text


def test_lines_name_candidate_node_time_and_count(caplog, monkeypatch):
    clock = iter([100, 101, 111.84, 131])
    monkeypatch.setattr(progress_bar, "perf_counter", lambda: next(clock))
    with (
        caplog.at_level(logging.INFO, "mnist_kedro"),
        Progress(["cnn.train_candidate", "split_images"], total=2) as shown,
    ):
        shown.begin("cnn.train_candidate")
        shown.complete("cnn.train_candidate")
        shown.complete("split_images")  # in a process that does not tell when it began
    assert caplog.messages == [
        "cnn: train_candidate done in 10.8 s (1 of 2)",
        "split_images done after 31.0 s (2 of 2)",
    ]
