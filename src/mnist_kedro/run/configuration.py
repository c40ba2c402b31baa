"""What a command line or the environment names: it exists, and stays in the project's folders."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from click.core import ParameterSource
from kedro.config import OmegaConfigLoader
from kedro.framework.cli.utils import split_node_names, split_string
from kedro.utils import find_kedro_project, load_obj

from mnist_kedro.parameters import UNPRINTABLE, public_address, unknown_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    import click

ENVIRONMENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
# Parameters that say where a run writes: a folder, or a database, which may be a file.
WRITTEN = {"data_ingestion.cache", "tracking.uri", "tuning.storage"}
DATABASE = re.compile("(sqlite[^:]*:///)?(file:)?", re.IGNORECASE)


class ConfigLoader(OmegaConfigLoader):
    """Kedro's loader, for an environment in `conf/` and parameters that stay in the project.

    Files of the configuration may name other folders: who can write them owns the project.

    Raises:
        ValueError: The environment is no name of a folder in `conf/`, or a parameter of this run
            has control characters, refers to another value, or names a place outside the project.
    """

    def __init__(
        self,
        conf_source: str | Path,
        env: str | None = None,
        runtime_params: dict[str, Any] | None = None,
        **options: Any,  # noqa: ANN401 (as Kedro's)
    ) -> None:
        _check_environment(env)
        _check_parameters(runtime_params or {})
        super().__init__(conf_source, env, runtime_params, **options)


def project_folder() -> Path:
    """Return the project's folder, from wherever in it one starts."""
    return find_kedro_project(Path.cwd()) or Path.cwd()


def environment_variable(name: str) -> str:
    """Return a variable of the environment, for `${oc.env:name}` in a file of `conf/`.

    Raises:
        ValueError: It is not set.
    """
    if name not in os.environ:
        raise ValueError(
            f"expected the variable {name} in the environment, found none: load the file that sets "
            f"it, such as conf/cluster/cluster.env"
        )
    return os.environ[name]


def check_names(context: click.Context) -> None:
    """Refuse an option in which Kedro can read no names, such as `fi[nal`: it would run all.

    Versions are names of folders, so they have no control characters either.

    Raises:
        ValueError: There is one.
    """
    for option in context.command.params:
        name = str(option.name)
        given = context.get_parameter_source(name) is not ParameterSource.DEFAULT
        names = getattr(option.callback, "__wrapped__", None) in (split_string, split_node_names)
        if given and names and not context.params[name]:
            raise ValueError(f"expected names in {option.opts[0]}, found none that can be read")
    for version in context.params["load_versions"].values():
        if UNPRINTABLE.search(version):
            raise ValueError(f"expected versions without control characters, found {version!a}")


def check_runner(path: str, options: Mapping[str, Any]) -> None:
    """Refuse a runner that is not there, and options that it does not have.

    Raises:
        ValueError: There is one.
    """
    try:
        runner = load_obj(path, "kedro.runner")
    except (AttributeError, ImportError, ValueError) as error:
        raise ValueError(
            f"expected --runner to be SequentialRunner, ThreadRunner, ParallelRunner or "
            f"mnist_kedro.runners.DaskRunner, found '{path}': {error}"
        ) from error
    known = inspect.signature(runner).parameters
    for name in options:
        if name not in known:
            raise ValueError(unknown_name(f"option of {path}", name, known))


def _check_environment(env: str | None) -> None:
    if env and not ENVIRONMENT.fullmatch(env):
        raise ValueError(
            f"expected --env or KEDRO_ENV to be the name of a folder in conf/, of letters, digits, "
            f"'_', '-' and '.', found {env!r}"
        )


def _check_parameters(parameters: Mapping[str, Any]) -> None:
    for name, value in _flatten(parameters):
        if UNPRINTABLE.search(f"{name}{value}") or "${" in str(value):
            raise ValueError(
                f"expected parameters of one run without control characters and references "
                f"${{...}}, found {name!a}: {public_address(ascii(value))}"
            )
        if name in WRITTEN and value is not None and not _is_inside(str(value)):
            raise ValueError(
                f"expected '{name}' to be in the project's folder if it is given for one run, "
                f"found {public_address(repr(value))}: a file in conf/ may name any other"
            )


def _flatten(values: Any, name: str = "") -> Iterator[tuple[str, Any]]:  # noqa: ANN401 (any YAML)
    """Yield each value with its name, `a.b.c`."""
    if isinstance(values, Mapping):
        for key, value in values.items():
            yield from _flatten(value, f"{name}.{key}" if name else str(key))
    elif isinstance(values, list):
        for value in values:
            yield from _flatten(value, name)
    else:
        yield name, values


def _is_inside(place: str) -> bool:
    """Tell whether a folder, or the file of a database, is in the project; servers count as it."""
    path = Path(unquote(DATABASE.sub("", place, count=1)))
    outside = path.anchor and not path.is_relative_to(project_folder())
    return not outside and ".." not in path.parts
