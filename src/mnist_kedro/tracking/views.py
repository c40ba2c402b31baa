"""What MLflow's page shows: views of the candidates and of the champions, and the links to them.

MLflow keeps a view that people save or share in a tag of the experiment, as JSON, and opens it by
its key. So a run saves two, and nobody has to find the columns and charts again.
"""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow import MlflowClient

VIEW = "mlflow.sharedViewState."  # and the view's key
PIXELS = {  # of all columns in a window of 1280
    "attributes.`Run Name`": 180,
    "runDateAndNestInfo": 138,  # Created, which MLflow always shows
    "metrics.`validation_accuracy`": 150,
    "metrics.`test_accuracy`": 120,
    "attributes.`Description`": 185,  # begins with the accuracy and its interval
    "metrics.`fit_seconds`": 100,
    "metrics.`model_bytes`": 105,
    "duration": 75,
}
CHARTS = [
    ("BAR", "validation_accuracy"),
    ("BAR", "fit_seconds"),
    ("LINE", "validation_accuracy"),  # by epoch
    ("LINE", "train_loss"),
]
STATE = {
    "orderByKey": "metrics.`validation_accuracy`",
    "orderByAsc": False,
    "columnOrder": list(PIXELS),
    "runsHiddenMode": "SHOW_ALL",
    "runListHidden": True,  # beside the charts
    "compareRunSections": [
        {"uuid": "first", "name": "Candidates", "display": True, "columns": 3, "cardHeight": 400},
        {"uuid": "rest", "name": "Model metrics", "display": False},  # MLflow puts all others there
    ],
    "compareRunCharts": [
        {"type": kind, "metricKey": metric, "uuid": str(number)}
        | {"metricSectionId": "first", "lineSmoothness": 0}
        for number, (kind, metric) in enumerate(CHARTS)
    ],
}


def save_views(client: MlflowClient, experiment_id: str, run_id: str, digest: str) -> None:
    """Save the view of a run's candidates, and that of all champions on data with this digest."""
    children = f"tags.mlflow.parentRunId = '{run_id}' and attributes.run_name != 'final_model'"
    parents = f"dataset.digest = '{digest}' and tags.mlflow.parentRunId IS NULL"
    champions = f"{parents} and metrics.test_accuracy > 0"
    for key, name, runs, width, hidden in (
        ("candidates", "Candidates of the latest run", children, 180, ("test_accuracy`",)),
        ("champions", "Champions of all runs", champions, 430, ("Description`", "model_bytes`")),
    ):
        state: dict[str, Any] = STATE | {
            "searchFilter": runs,
            "columnWidths": PIXELS | {"attributes.`Run Name`": width},
            "selectedColumns": [column for column in PIXELS if not column.endswith(hidden)],
        }
        view = {"name": name, "createdAt": round(1000 * time.time()), "state": json.dumps(state)}
        client.set_experiment_tag(experiment_id, VIEW + key, json.dumps(view))


def links(server: str, experiment_id: str) -> dict[str, str]:
    """Return the addresses of what to look at first, by what is there.

    Args:
        server: Its address; a user and password in it are left out.
        experiment_id: In which there are views.
    """
    page = re.sub("//.*@", "//", server.rstrip("/")) + f"/#/experiments/{experiment_id}/runs"
    view = f"{page}?workflowType=machine_learning&viewStateShareKey="  # not the GenAI page
    return {
        "Candidates of the latest run": f"{view}candidates",
        "The same as charts": f"{view}candidates&compareRunsMode=CHART",
        "Champions of all runs": f"{view}champions",
    }
