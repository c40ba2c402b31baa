"""Kedro's settings of this project."""

import os
import warnings
from pathlib import Path

import yaml
from kedro.framework.project import LOGGING
from kedro.utils import find_kedro_project
from omegaconf.resolvers import oc

from mnist_kedro.hooks import ProjectHooks
from mnist_kedro.run.progress import ProgressHooks
from mnist_kedro.tracking import TrackingHooks

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
# Kedro's own call, on every run; nothing that a user of this project could change.
warnings.filterwarnings("ignore", message=".*register_new_resolver", module="kedro|omegaconf")
# Stage 4 gathers results across the candidates' namespaces, so it has to name them.
warnings.filterwarnings("ignore", message="One or more dataset names contain")
# Both spellings are meant to work here.
warnings.filterwarnings("ignore", message="Option '--pipeline' is deprecated")
# Kedro-Viz's own import, here and in the process in which it serves.
ORJSON = "ORJSONResponse is deprecated"
warnings.filterwarnings("ignore", message=ORJSON)
os.environ.setdefault("PYTHONWARNINGS", f"ignore:{ORJSON}")

PROJECT = find_kedro_project(Path.cwd()) or Path(__file__).parents[2]
# Kedro looks for this file in the working directory only.
LOGGING_FILE = PROJECT / "conf" / "logging.yml"
elsewhere = not Path("conf/logging.yml").exists() and "KEDRO_LOGGING_CONFIG" not in os.environ
if elsewhere and LOGGING_FILE.exists():
    LOGGING.configure(yaml.safe_load(LOGGING_FILE.read_text(encoding="utf-8")))

HOOKS = (ProjectHooks(), ProgressHooks(), TrackingHooks())
CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    # An environment changes the values it names and keeps all others.
    "merge_strategy": {"parameters": "soft"},
    # Kedro itself resolves `${oc.env:NAME}` in credentials only.
    "custom_resolvers": {
        "oc.env": oc.env,
        # `${project:path}` is a path in the project's folder, from wherever one starts. A hook
        # knows better which project it is, but Kedro-Viz calls none.
        "project": lambda path="": (PROJECT / path).as_posix(),
    },
}
