"""MLflow's registry: the final model under a name, the last one with the alias `champion`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

if TYPE_CHECKING:
    from mnist_kedro.tracking.results import Fitted


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
