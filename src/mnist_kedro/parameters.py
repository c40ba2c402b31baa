"""Typed parameters: what stands in `conf/*/parameters_*.yml`, checked before anything runs."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic_core import ErrorDetails


class UserError(ValueError):
    """A mistake that the user can mend: the command line shows its sentence, without a traceback.

    The sentence says what was expected, what was found, and what to do.
    """


class Parameters(BaseModel):
    """Base of all parameter models: no unknown keys, no changes, errors of one sentence each."""

    # Built on first use: `kedro registry list` needs none of them.
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    @classmethod
    def model_validate(cls, obj: Any, **kwargs: Any) -> Self:  # noqa: ANN401 (as in pydantic)
        """Build the model from a mapping.

        Raises:
            UserError: The mapping does not fit; says key, expected and found.
        """
        try:
            return super().model_validate(obj, **kwargs)
        except ValidationError as error:
            raise UserError("; ".join(map(cls._sentence, error.errors()))) from None

    @classmethod
    def _sentence(cls, error: ErrorDetails) -> str:
        key = ".".join(map(str, error["loc"]))
        if error["type"] == "extra_forbidden":
            return unknown_name("parameter", key, cls.model_fields)
        if error["type"] == "value_error":  # a validator of ours raised it: a sentence already
            return str(error["ctx"]["error"])
        message = error["msg"].removeprefix("Input ").replace("Field required", "is missing")
        return f"'{key}' {message}, found {public_address(repr(error['input']))}"


Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
"""A text that is printed, and saved with what came out."""


def unknown_name(kind: str, name: str, known: Iterable[str]) -> str:
    """Return a sentence that says that `name` is unknown, and what was probably meant."""
    known = sorted(known)
    close = get_close_matches(name, known, n=1)
    hint = f"did you mean '{close[0]}'?" if close else f"known are {', '.join(known) or 'none'}"
    return f"unknown {kind} '{name}': {hint}"


def public_address(text: str) -> str:
    """Return a text without the user names and passwords of the addresses in it."""
    # A password may have a slash, but what follows `host:` and a number is a path.
    text = re.sub(r"://([^\s:/@]*:(?!\d+(/|$))\S*|[^\s/]*)@", "://***@", text)
    return re.sub(r"(?i)([?&]\w*(password|token|secret)=)[^&\s'\"]*", r"\1***", text)
