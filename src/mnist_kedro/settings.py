"""Kedro's settings of this project."""

import os
import warnings

from mnist_kedro.hooks import ProjectHooks
from mnist_kedro.run import whole_files
from mnist_kedro.run.configuration import ConfigLoader, environment_variable, project_folder
from mnist_kedro.run.progress import progress_hooks
from mnist_kedro.run.session import Context, Session
from mnist_kedro.tracking import TrackingHooks

whole_files.register()
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

SESSION_CLASS = Session
CONFIG_LOADER_CLASS = ConfigLoader
CONTEXT_CLASS = Context
HOOKS = (ProjectHooks(), progress_hooks, TrackingHooks())
CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    # `tracking.yml` is read as parameters, so that --params reaches it.
    "config_patterns": {
        "parameters": ["parameters*", "parameters*/**", "**/parameters*", "tracking*"]
    },
    # `${project:}` is the project's folder, from wherever one starts; `${oc.env:NAME}` a variable,
    # which Kedro resolves in credentials only.
    "custom_resolvers": {"project": lambda: str(project_folder()), "oc.env": environment_variable},
    # An environment changes the values it names and keeps all others.
    "merge_strategy": {"parameters": "soft"},
}
