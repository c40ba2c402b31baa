"""Settings of a Kedro project, the package `tests.runners`."""

from tests.runners.nodes import Hooks

HOOKS = (Hooks(),)
