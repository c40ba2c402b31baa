"""What the nodes of the tests do: in a module that workers can import."""

import os
import signal
import tempfile
import time
from pathlib import Path

import joblib


class KillsOnce:
    """Kills the process that saves it, unless a process was killed by it before."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        if not Path(self.marker).exists():
            Path(self.marker).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return KillsOnce, (self.marker,)


def first():
    return "saved"


def two_outputs(_, marker):
    return "one", KillsOnce(marker)


def kill(_):
    os.kill(os.getpid(), signal.SIGKILL)


def wait(_, marker):
    Path(marker).touch()
    time.sleep(60)


def fail(_):
    raise ArithmeticError("of the node's own")


def never_end(_):
    return never_end(_)


class Large:
    """Counts in a file how often it is sent."""

    def __init__(self, file):
        self.file = file

    def __sizeof__(self):
        return 1_000_000

    def __reduce__(self):
        with Path(self.file).open("a") as file:
            file.write(".")
        return Large, (self.file,)


def call(number, large):
    start = time.monotonic()
    time.sleep(0.5)
    return {
        "worker": os.getpid(),
        "threads": count_threads(number),
        "times": (start, time.monotonic()),
        "nested": joblib.Parallel(-1)(joblib.delayed(os.getpid)() for _ in range(2)),
    }


def call_side_by_side(_, file):
    large = Large(file)
    parallel = joblib.Parallel(2, pre_dispatch=2, return_as="generator_unordered")
    return list(parallel(joblib.delayed(call)(number, large) for number in range(8)))


def kill_once(number, marker):
    if not Path(marker).exists():
        Path(marker).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def call_and_kill(_, marker):
    calls = [joblib.delayed(kill_once)(number, marker) for number in range(4)]
    return joblib.Parallel(2)(calls)


def temporary_folder(_):
    return tempfile.gettempdir()


def count_threads(_):
    import torch
    from threadpoolctl import threadpool_info

    torch.ones(64, 64) @ torch.ones(64, 64)
    pools = {each["num_threads"] for each in threadpool_info()}
    with joblib.parallel_config("threading"):  # in daemons, such as workers, it has no processes
        jobs = joblib.effective_n_jobs(-1)
    return {"torch": torch.get_num_threads(), "pools": sorted(pools), "joblib": jobs}
