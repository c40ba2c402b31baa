"""What the tests run on workers: nodes, a hook, a validator, in a module to import."""

import os
import signal
import time
from pathlib import Path

from kedro.framework.hooks import hook_impl


class KillsOnce:
    """Kills the process that saves it, unless it has killed one before."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        if not Path(self.marker).exists():
            Path(self.marker).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return KillsOnce, (self.marker,)


class Hooks:
    @hook_impl
    def on_node_error(self, error, node):
        error.add_note(f"seen by a hook: {node.name}")


class Small:
    """A validator."""

    def validate(self, data):
        if data > 3:
            raise ValueError(f"expected 3 or less, found {data}")


def kill(_):
    os.kill(os.getpid(), signal.SIGKILL)


def save_two(marker):
    return "one", KillsOnce(marker)


def wait(marker):
    Path(marker).touch()
    time.sleep(60)


def fail(_):
    raise ArithmeticError("of the node's own")


def never_end(_):
    return never_end(_)


def five(_):
    return 5


def threads(_):
    import torch

    return torch.get_num_threads(), os.environ.get("MALLOC_TRIM_THRESHOLD_")
