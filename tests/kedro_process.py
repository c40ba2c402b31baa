"""The real `kedro` command in a process of its own, without waiting for its imports each time.

Every run imports PyTorch, scikit-learn, pandas and Matplotlib: five seconds, most of a small run. A
fork server imports them once; each command is a fresh fork of it.
"""

import multiprocessing
import os
import sys
import tempfile
from pathlib import Path
from subprocess import CompletedProcess

SECONDS = 900  # after which a command counts as hanging
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
    "pandas",
    "plotly.subplots",
    "scipy.stats",
    "sklearn.ensemble",
    "sklearn.linear_model",
    "sklearn.metrics",
    "sklearn.pipeline",
    "torch",
]
context = multiprocessing.get_context("forkserver")
context.set_forkserver_preload(IMPORTED)


def run_kedro(folder, *arguments):
    """Run a command in a folder; return its exit status and what it printed."""
    with tempfile.TemporaryDirectory() as printed:
        out, err = Path(printed, "out"), Path(printed, "err")
        process = context.Process(
            target=_kedro, args=(folder, arguments, dict(os.environ), out, err)
        )
        process.start()
        process.join(SECONDS)
        if process.is_alive():
            process.kill()
            raise TimeoutError(f"kedro {' '.join(arguments)}: {err.read_text()}")
        return CompletedProcess(arguments, process.exitcode, out.read_text(), err.read_text())


def _kedro(folder, arguments, environment, out, err):
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for path, stream in ((out, sys.stdout), (err, sys.stderr)):
        with path.open("wb") as file:
            os.dup2(file.fileno(), stream.fileno())
    sys.argv = ["kedro", *arguments]
    from kedro.framework.cli import main

    main()
