"""What a command line or the environment names: it stays in the project's folders."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from kedro.config import OmegaConfigLoader
from kedro.utils import find_kedro_project

from mnist_kedro.parameters import UNPRINTABLE, public_address

if TYPE_CHECKING:
    from collections.abc import Iterator

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
