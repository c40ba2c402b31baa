"""How well the final model reads photographs: `python -m benchmarks.photographs`, after a run.

The test digits are photographed by `tests/photographs.py` into a folder, and read by
`kedro run --pipelines=inference`, as anybody's pictures are. Nothing was tuned on them: what reads
pictures was tuned on photographs of training digits.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from benchmarks.commands import KEDRO, PROJECT, run
from benchmarks.data import add_data_option, load_mnist
from mnist_kedro.evaluation.metrics import percent, wilson_interval
from tests.photographs import photograph

PREDICTIONS = PROJECT / "data/07_model_output/predictions.csv"


def main() -> None:
    """Print the accuracy, and how many photographs were read with a warning."""
    parser = argparse.ArgumentParser("python -m benchmarks.photographs", description=main.__doc__)
    add_data_option(parser)
    _, _, images, labels = load_mnist(parser.parse_args().data)
    with TemporaryDirectory() as folder:
        with ProcessPoolExecutor() as pool:
            write = partial(write_photograph, Path(folder))
            list(pool.map(write, range(len(images)), images, labels, chunksize=100))
        parameters = f"inference.images={folder},tracking.enabled=false"
        run((*KEDRO, "run", "--pipelines=inference", "--params", parameters), PROJECT)
    predictions = pd.read_csv(max(PREDICTIONS.glob("*/predictions.csv")))
    shown = predictions["file"].str.extract(r"_(\d)\.")[0].astype(int)
    right = int((predictions["prediction"] == shown).sum())
    low, high = wilson_interval(right, len(predictions))
    print(
        f"{percent(right / len(predictions))} ({percent(low)} to {percent(high)}) of "
        f"{len(predictions):,} photographs; warnings: {predictions['warning'].count()}"
    )


def write_photograph(folder: Path, number: int, image: object, label: int) -> None:
    """Write `<number>_<label>.<suffix>`."""
    picture = photograph(image, label, number)
    (folder / f"{number:05}_{label}.{picture.suffix}").write_bytes(picture.data)


if __name__ == "__main__":
    main()
