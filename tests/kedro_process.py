"""The real `kedro` command in a process of its own, without waiting for its imports each time.

Every run imports PyTorch, scikit-learn, pandas and Matplotlib: five seconds, most of a small run. A
fork server imports them once; each command is a fresh fork of it. MLflow reads variables that the
project sets first, so each command imports it itself.
"""

import atexit
import contextlib
import multiprocessing
import os
import signal
import sys
import tempfile
from pathlib import Path
from subprocess import CompletedProcess

SECONDS = 500  # after which a command counts as hanging, before the test that waits for it does
IMPORTED = [
    "cleanlab.filter",
    "kedro.framework.cli.cli",
    "kedro.framework.session",
    "kedro_datasets.json.json_dataset",
    "kedro_datasets.matplotlib.matplotlib_dataset",
    "kedro_datasets.pandas.csv_dataset",
    "kedro_datasets.pickle.pickle_dataset",
    "kedro_datasets.plotly.json_dataset",
    "matplotlib.pyplot",
    "onnxruntime",
    "pandas",
    "plotly.subplots",
    "scipy.stats",
    "sklearn.ensemble",
    "sklearn.linear_model",
    "sklearn.metrics",
    "sklearn.pipeline",
    "skl2onnx",
    "torch.onnx",
]
context = multiprocessing.get_context("forkserver")
context.set_forkserver_preload(IMPORTED)


class KedroProcess:
    """A command that runs in a folder, with these variables added to the environment."""

    def __init__(self, folder, *arguments, **environment):
        self.arguments = arguments
        self._printed = tempfile.TemporaryDirectory()
        self._out, self._err = Path(self._printed.name, "out"), Path(self._printed.name, "err")
        self._process = context.Process(
            target=_kedro,
            args=(folder, arguments, os.environ | environment, self._out, self._err),
        )
        self._process.start()

    @property
    def pid(self):
        return self._process.pid

    def has_ended(self, seconds=0):
        """Wait at most so long for the end; return whether it has come."""
        self._process.join(seconds)
        return not self._process.is_alive()

    def wait(self, seconds=SECONDS):
        """Wait for the end; return the exit status and what was printed."""
        if not self.has_ended(seconds):
            self._process.kill()
            raise TimeoutError(f"kedro {' '.join(self.arguments)}: {self._err.read_text()}")
        printed = [path.read_text() if path.exists() else "" for path in (self._out, self._err)]
        self._printed.cleanup()
        return CompletedProcess(self.arguments, self._process.exitcode, *printed)


def run_kedro(folder, *arguments, **environment):
    """Run a command in a folder; return its exit status and what it printed."""
    return KedroProcess(folder, *arguments, **environment).wait()


def load(project, *names, env=None):
    """Load datasets through a project's catalog."""
    from kedro.framework.session import KedroSession
    from kedro.framework.startup import bootstrap_project

    bootstrap_project(project)
    with contextlib.chdir(project), KedroSession.create(project, env=env) as session:
        catalog = session.load_context().catalog
        return [catalog[name].load() for name in names]


def _kedro(folder, arguments, environment, out, err):
    # What a worker process is made with, too, is as in a process that no fork server made.
    multiprocessing.set_start_method(multiprocessing.get_all_start_methods()[0], force=True)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for path, stream in ((out, sys.stdout), (err, sys.stderr)):
        with path.open("wb") as file:
            os.dup2(file.fileno(), stream.fileno())
    sys.argv = ["kedro", *arguments]
    from kedro.framework.cli import main

    try:
        main()
    except KeyboardInterrupt:  # ends Python by the signal, but not a process of multiprocessing's
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    finally:
        atexit._run_exitfuncs()  # Python does so at its end, but not such a process
