"""MLflow's registry follows the decisions on champions that are saved with the data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlflow import MlflowClient

ALIASES = ("champion", "challenger")  # `latest` is MLflow's own
# Tags of runs and registered versions. Other projects may share the server, and a model's name.
PROJECT, RUN = "kedro_project", "kedro_run_id"


def mirror_promotion(
    client: MlflowClient, model: str, project: str, promotion: Mapping[str, Any]
) -> None:
    """Give the aliases to the versions of a registered model that a project's decision names.

    An alias of which MLflow has no version, since that run was not tracked, goes.
    """
    found = client.search_model_versions(f"name = '{model}' AND tags.{PROJECT} = '{project}'")
    numbers = {version.tags[RUN]: version.version for version in found}
    named = {promotion["alias"]: promotion["version"], "champion": promotion["champion"]["version"]}
    for alias in ALIASES if numbers else ():
        if number := numbers.get(named.get(alias, "")):
            client.set_registered_model_alias(model, alias, number)
        else:
            client.delete_registered_model_alias(model, alias)
