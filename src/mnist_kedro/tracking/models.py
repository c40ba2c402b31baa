"""Models in MLflow; its registry has final models under a name, the last one as `champion`."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import mlflow.sklearn
import numpy as np
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.models import infer_signature

import mnist_kedro

if TYPE_CHECKING:
    from mnist_kedro.classifiers.build import Classifier
    from mnist_kedro.run.saved import Saved
    from mnist_kedro.tracking.results import Fitted

# What `mnist_kedro.classifiers` needs where a model is served.
PACKAGES = ("lazy-loader", "numpy", "pandas", "pydantic", "scikit-learn", "torch", "tqdm")
EXAMPLES = 2  # images of the input example


def log_model(model: Classifier, saved: Saved) -> str:
    """Log a model in the active run; return its id.

    Args:
        model: A fitted classifier.
        saved: Has the images on which it was trained: the first ones are an example of its input.
    """
    examples = np.array(saved.load("train_images")[:EXAMPLES])
    info = mlflow.sklearn.log_model(
        model,
        name="model",
        serialization_format="pickle",  # as in the catalog: skops knows no network of ours
        signature=infer_signature(examples, saved.load("train_labels")[:EXAMPLES]),
        input_example=examples,
        # Without the build's name, `+cpu`: package indexes do not have it.
        pip_requirements=[f"{p}=={version(p).partition('+')[0]}" for p in PACKAGES],
        code_paths=[str(Path(mnist_kedro.__file__).parent)],  # loads where we are not installed
    )
    return str(info.model_id)


def register_model(name: str, model_id: str, run_id: str, fitted: Fitted) -> None:
    """Register a logged model as the next version of this name, and give it the alias.

    Args:
        name: Of the registered model, which is made if it is not there yet.
        model_id: Of the logged model.
        run_id: Of the run that logged it.
        fitted: What was logged.
    """
    client = MlflowClient()
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    registered = client.create_model_version(
        name,
        f"models:/{model_id}",
        run_id,
        {key: str(fitted.metrics[key]) for key in ("data", "test_accuracy")},
        description=fitted.description,
        model_id=model_id,
    )
    client.set_registered_model_alias(name, "champion", registered.version)
