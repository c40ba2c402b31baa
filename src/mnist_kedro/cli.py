"""The project's own commands: `kedro run`, with one sentence instead of a traceback."""

from __future__ import annotations

import copy
import functools
import re
from typing import IO, TYPE_CHECKING, Any, cast

import click
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.cli.utils import KedroCliError
from kedro.io import DatasetError
from kedro.validation.exceptions import ParameterValidationError

from mnist_kedro.progress import progress_hooks

if TYPE_CHECKING:
    from collections.abc import Callable


class RunError(KedroCliError):
    """A run cannot go on, for a reason that its user can probably mend."""

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the sentence; with `kedro --verbose run` the traceback, as Kedro does."""
        if self.VERBOSE_ERROR:
            super().show(file)
        else:
            click.secho(f"Error: {self.message}", fg="red", err=True)


def one_sentence(callback: Callable[..., Any]) -> Callable[..., Any]:
    """Make errors that speak of values, files or parameters end in one sentence, not a traceback.

    `kedro --verbose run` shows the traceback; any other error has it anyhow.
    """

    @functools.wraps(callback)
    def wrapped(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        try:
            return callback(*args, **kwargs)
        except DatasetError as error:
            # Kedro says which dataset in the first line, its cause says why in the last.
            first, *others = str(error).splitlines()
            sentence = f"{first.partition(':')[0]}: {others[-1]}" if others else first
            raise RunError(sentence) from error
        except ParameterValidationError as error:
            _, *sentences = re.sub(r"Failed to instantiate .*?: ", "", str(error)).splitlines()
            raise RunError("; ".join(line.removeprefix("- ") for line in sentences)) from error
        except (ValueError, OSError, ArithmeticError) as error:
            raise RunError(str(error)) from error
        finally:
            progress_hooks.close()  # Kedro tells its hooks of errors, but not of Ctrl-C

    return wrapped


@click.group(name="mnist_kedro")
def cli() -> None:
    """Commands of mnist_kedro."""


run = copy.copy(kedro_run)
run.callback = one_sentence(cast("Callable[..., Any]", kedro_run.callback))
cli.add_command(run)
