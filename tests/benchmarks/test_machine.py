import os

import psutil

from benchmarks import machine


def test_a_description_says_what_decides_the_speed():
    assert machine.machine_name().endswith(" cores")
    text = machine.describe_machine()
    for part in ("PyTorch with ", " threads", " GB", "Python ", "torch ", "kedro "):
        assert part in text


def test_the_busy_process_ends_with_what_it_accompanies():
    children = psutil.Process(os.getpid()).children
    before = children()
    with machine.busy_process():
        (busy,) = set(children()) - set(before)
    assert not busy.is_running()


def test_what_others_use_is_counted_in_cores(monkeypatch):
    monkeypatch.setattr(psutil, "cpu_percent", {machine.LOOK: 25.0}.get)
    monkeypatch.setattr(psutil, "cpu_count", lambda: 8)
    assert machine.busy_cores() == 2
