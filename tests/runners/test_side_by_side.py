"""What nodes call by joblib, and which workers do it."""

import pytest

pytestmark = pytest.mark.slow


def test_what_a_node_calls_goes_to_all_workers_if_its_tag_says_so(run, start_cluster):
    calls = run("side_by_side", address=start_cluster(3).address)("left")
    assert len(calls) == 8
    assert 1 < len({call["worker"] for call in calls}) <= 3
    assert [call["threads"]["torch"] for call in calls] == [1] * 8
    times = [call["times"] for call in calls]
    at_once = [sum(begin <= start < end for begin, end in times) for start, _ in times]
    assert max(at_once) == 2  # as asked
    assert all({call["worker"]} == set(call["nested"]) for call in calls)  # and no further
    assert len(run.marker.read_text()) <= 3  # sent once, and from worker to worker


def test_a_call_whose_worker_is_killed_is_made_again(run, cluster):
    load = run("calls_that_kill", address=cluster.address)
    assert run.marker.exists()
    assert load("left") == [0, 1, 2, 3]


def test_other_nodes_call_in_their_own_worker(run, cluster):
    calls = run("alone", address=cluster.address)("left")
    assert len({call["worker"] for call in calls}) == 1
