"""Ctrl-C and SIGTERM, in processes of their own."""

import signal
import subprocess
import sys
import time

import pytest

BEGIN = """
import multiprocessing, os, sys, threading, time
from mnist_kedro.run import stopping

def work():
    {before}
    print("ready", flush=True)
    {work}

def say():
    print("last words", flush=True)

with stopping.stopped_by_signals(), stopping.last_words(say):
    work()
print("never", flush=True)
"""
SWALLOWS = """
    while True:
        try:
            time.sleep(0.01)
        except BaseException:
            pass
"""
FAILS_MEANWHILE = """
    while not stopping.is_stopping():
        time.sleep(0.01)
    raise RuntimeError("because it is stopped")
"""
# libsvm: minutes within one call, in which Python runs no instruction of its own
COMPUTES = """
    import numpy as np
    from sklearn.svm import SVC
    random = np.random.default_rng(0)
    images, labels = random.random((20_000, 784)), random.integers(0, 10, 20_000)
    print("fits", flush=True)
    SVC().fit(images, labels)
"""
WAITS = "stopping._last_words.append(lambda: time.sleep({}))"  # in its last words
WORKS = {
    "sleeps": "time.sleep(60)",
    "swallows": SWALLOWS,
    "fails meanwhile": FAILS_MEANWHILE,
}


def start(work="time.sleep(60)", before=""):
    command = [sys.executable, "-c", BEGIN.format(work=work, before=before)]
    pipes = dict.fromkeys(("stdout", "stderr"), subprocess.PIPE)
    process = subprocess.Popen(command, text=True, **pipes)
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize(
    ("number", "status", "name"), [(signal.SIGINT, 130, "Ctrl-C"), (signal.SIGTERM, 143, "SIGTERM")]
)
@pytest.mark.parametrize("work", WORKS.values(), ids=WORKS)
def test_a_signal_ends_the_process_within_seconds(work, number, status, name):
    process = start(work)
    process.send_signal(number)
    output, errors = process.communicate(timeout=5)
    assert process.returncode == status
    assert errors == f"Stopped by {name}.\n"
    assert output == "last words\n"


def test_a_long_call_in_c_is_ended_too():
    process = start(COMPUTES)
    assert process.stdout.readline() == "fits\n"
    time.sleep(1)
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=5) == ("last words\n", "Stopped by SIGTERM.\n")
    assert process.returncode == 143


def test_in_a_notebook_ctrl_c_is_an_exception():
    work = """
    sys.ps1 = "In : "
    with stopping.stopped_by_signals():
        try:
            os.kill(os.getpid(), 2)
            time.sleep(60)
        except KeyboardInterrupt:
            print("still here", flush=True)
    os._exit(0)
"""
    command = [
        sys.executable,
        "-c",
        BEGIN.partition("with stopping.")[0].format(work=work, before=""),
    ]
    command[-1] += "\nwork()"
    done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    assert done.stdout == "ready\nstill here\n"


def test_another_thread_than_the_main_one_changes_nothing():
    from concurrent.futures import ThreadPoolExecutor

    from mnist_kedro.run.stopping import stopped_by_signals

    before = signal.getsignal(signal.SIGINT)

    def look():
        with stopped_by_signals():
            return signal.getsignal(signal.SIGINT)

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(look).result() == before


def test_a_signal_that_is_ignored_stays_so():
    before = "signal.signal(2, signal.SIG_IGN)"
    program = BEGIN.format(work="os.kill(os.getpid(), 2); time.sleep(0.3)", before="")
    program = program.replace("import multi", f"import signal; {before}; import multi")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "ready\nnever\n")


def test_joblibs_workers_end_with_the_process():
    busy = "joblib.Parallel(2)(joblib.delayed(time.sleep)(60) for _ in range(2))"
    process = start(busy, before="import joblib; joblib.Parallel(2)([joblib.delayed(int)()] * 2)")
    time.sleep(1)  # until they are busy
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=20)  # which waits for workers, too: they have the pipe
    assert process.returncode == 143
    assert errors.startswith("Stopped by SIGTERM.\n")  # then joblib tidies up


def test_last_words_that_take_too_long_are_cut_off():
    process = start(before=WAITS.format(60))
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=5) == ("", "Stopped by SIGTERM.\n")
    assert process.returncode == 143


def test_nothing_keeps_the_process_from_ending():
    """As where standard error is closed, which is an error when a bar is to be removed from it."""
    process = start(before="sys.stderr.close()")
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=5)[0] == "last words\n"
    assert process.returncode == 143


def test_a_second_signal_does_not_disturb_the_last_words():
    process = start(before=WAITS.format(0.5))
    for _ in range(5):
        process.send_signal(signal.SIGINT)
        time.sleep(0.02)
    output, errors = process.communicate(timeout=5)
    assert (process.returncode, output) == (130, "last words\n")
    assert errors == "Stopped by Ctrl-C.\n"


def test_workers_are_ended_with_their_process():
    work = """
    worker = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
    worker.start()
    print("started", flush=True)
    time.sleep(60)
"""
    process = start(work)
    assert process.stdout.readline() == "started\n"
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=5)  # waits for all who hold the pipe, the worker too
    assert process.returncode == 143


def test_workers_end_soon_after_kill_9():
    work = """
    worker = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
    worker.start()
    print("started", flush=True)
    time.sleep(60)
"""
    process = start(work)
    assert process.stdout.readline() == "started\n"
    process.kill()
    process.communicate(timeout=5)  # waits for all who hold the pipe, the worker too
    assert process.returncode == -signal.SIGKILL


def test_a_worker_dies_of_a_signal_at_once():
    work = """
    worker = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
    worker.start()
    time.sleep(0.1)
    os.kill(worker.pid, 2)
    worker.join()
    print(worker.exitcode, flush=True)
    os._exit(0)
"""
    process = start(work)
    assert process.communicate(timeout=5)[0] == "-2\n"


def test_afterwards_signals_do_what_they_did():
    from mnist_kedro.run.stopping import stopped_by_signals

    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with stopped_by_signals():
        assert signal.getsignal(signal.SIGINT) is not before[0]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_a_worker_ends_if_its_parent_was_gone_before_it_could_ask():
    work = """
    os.getppid = lambda: 1  # as of those whose parent is gone
    if not (worker := os.fork()):
        time.sleep(20)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1]), flush=True)
    os._exit(0)
"""
    assert start(work).communicate(timeout=10)[0] == "1\n"
