"""The project's own commands, `kedro run` and `kedro demo`: one sentence instead of a traceback."""

from __future__ import annotations

import copy
import functools
import os
import re
import sys
import webbrowser
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any, cast

import click
from kedro.config import MissingConfigException
from kedro.framework.cli.project import CONF_SOURCE_HELP
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.cli.utils import KedroCliError, env_option, validate_conf_source
from kedro.framework.session import KedroSession
from kedro.io import DataCatalog, DatasetError
from kedro.validation.exceptions import ParameterValidationError
from omegaconf.errors import InterpolationResolutionError

from mnist_kedro.parameters import printable, sentence_of
from mnist_kedro.run.configuration import check_names, check_runner
from mnist_kedro.run.stopping import stopped_by_signals

if TYPE_CHECKING:
    from collections.abc import Callable

    from kedro.framework.startup import ProjectMetadata


class RunError(KedroCliError):
    """A run cannot go on, for a reason that its user can probably mend."""

    def __init__(self, sentence: str) -> None:
        super().__init__("\n".join(map(printable, sentence.split("\n"))))

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
        except InterpolationResolutionError as error:  # a reference in a file of conf/
            reason = str(error).splitlines()[0].rpartition("resolving interpolation: ")[2]
            raise RunError(f"{error.full_key}: {reason}") from error
        except (ValueError, OSError, ArithmeticError, MissingConfigException) as error:
            raise RunError(sentence_of(error)) from error
        except ModuleNotFoundError as error:
            hint = 'pip install "mnist_kedro[cluster]" has what Dask, S3 and PostgreSQL need'
            raise RunError(f"{error}: {hint}") from error
        except KedroCliError as error:
            raise RunError(error.message) from error

    return wrapped


@click.group(name="mnist_kedro")
def cli() -> None:
    """Commands of mnist_kedro."""


@one_sentence
@stopped_by_signals()
def _run(**options: Any) -> dict[str, Any]:  # noqa: ANN401 (Kedro's)
    check_names(click.get_current_context())
    check_runner(options["runner"] or "SequentialRunner", options["runner_params"] or {})
    return cast("dict[str, Any]", cast("Callable[..., Any]", kedro_run.callback)(**options))


run = copy.copy(kedro_run)
run.callback = _run
run.params = [copy.copy(option) for option in kedro_run.params]
for each in run.params:
    if each.callback:  # Kedro's own error there shows no message
        each.callback = one_sentence(each.callback)
cli.add_command(run)


@cli.command()
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Another than this lets others in."
)
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    help="8000, or a free one if that is taken.",
)
@click.option("--no-browser", is_flag=True, help="Do not open the page in a browser.")
@env_option
@click.option("--conf-source", callback=validate_conf_source, help=CONF_SOURCE_HELP)
@click.pass_obj
@one_sentence
def demo(
    metadata: ProjectMetadata,
    host: str,
    port: int | None,
    no_browser: bool,
    env: str | None,
    conf_source: str | None,
) -> None:
    """Draw digits in the browser, for the final model to read.

    Programs get the same over HTTP: /docs, on the same address, says how.
    """
    from mnist_kedro.serving import champion, server

    champions = champion.Champions(_served_catalog(metadata, env, conf_source))
    with server.listen(host, port) as listener:
        name = f"[{host}]" if ":" in host else host
        address = f"http://{name}:{listener.getsockname()[1]}"
        click.echo(f"Draw digits at {address} (Ctrl-C stops)")
        if not server.is_loopback(host):
            click.secho(f"Everybody who can reach {address} can use it.", fg="yellow", err=True)
        if not no_browser and _has_desktop():
            webbrowser.open(address)
        with suppress(KeyboardInterrupt):  # the server has closed all when it passes that on
            server.create_server(champions, host).run(sockets=[listener])


def _served_catalog(
    metadata: ProjectMetadata, env: str | None, conf_source: str | None
) -> DataCatalog:
    """Return a catalog of what is served; the whole one would import all that the stages need."""
    from mnist_kedro.serving.champion import MANIFEST, MODEL

    os.chdir(metadata.project_path)  # to which paths in the catalog are relative
    session = KedroSession.create(metadata.project_path, env=env, conf_source=conf_source)
    catalog = session.load_context().config_loader["catalog"]
    return DataCatalog.from_config({name: catalog[name] for name in (MODEL, MANIFEST)})


def _has_desktop() -> bool:
    """Tell whether a browser would have a window."""
    names = ("DISPLAY", "WAYLAND_DISPLAY")
    return sys.platform in ("darwin", "win32") or any(os.environ.get(name) for name in names)
