"""`python -m mnist_kedro`: `kedro run` of the installed package, in a folder with a `conf/`."""

import sys
from pathlib import Path
from typing import Any

from kedro.framework.cli.utils import find_run_command
from kedro.framework.project import configure_project


def main(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 (click's)
    """Run the pipelines; takes the options of `kedro run`."""
    package_name = Path(__file__).parent.name
    configure_project(package_name)
    kwargs["standalone_mode"] = not hasattr(sys, "ps1")  # in a notebook, return instead of exit
    return find_run_command(package_name)(*args, **kwargs)


if __name__ == "__main__":
    main()
