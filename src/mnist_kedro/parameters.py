"""Typed parameters: what stands in `conf/*/parameters_*.yml`, checked before anything runs."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic_core import ErrorDetails


class Parameters(BaseModel):
    """Base of all parameter models: no unknown keys, no changes, errors of one sentence each."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def model_validate(cls, obj: Any, **kwargs: Any) -> Self:  # noqa: ANN401 (as in pydantic)
        """Build the model from a mapping.

        Raises:
            ValueError: The mapping does not fit; says key, expected and found.
        """
        try:
            return super().model_validate(obj, **kwargs)
        except ValidationError as error:
            raise ValueError("; ".join(map(cls._sentence, error.errors()))) from None

    @classmethod
    def _sentence(cls, error: ErrorDetails) -> str:
        key = ".".join(map(str, error["loc"]))
        if error["type"] == "extra_forbidden":
            return unknown_name("parameter", key, cls.model_fields)
        if error["type"] == "value_error":  # raised by a validator of ours: a sentence already
            return str(error["ctx"]["error"])
        message = error["msg"].removeprefix("Input ").replace("Field required", "is missing")
        return f"'{key}' {message}, found {public_address(repr(error['input']))}"


def unknown_name(kind: str, name: str, known: Iterable[str]) -> str:
    """Return a sentence that says that `name` is unknown, and what was probably meant."""
    known = sorted(known)
    close = get_close_matches(name, known, n=1)
    hint = f"did you mean '{close[0]}'?" if close else f"known are {', '.join(known)}"
    return f"unknown {kind} '{name}': {hint}"


def public_address(address: str) -> str:
    """Return an address, or a text with one, without the user and password in it.

    What may be either is taken out: passwords can have any character, `/` and `@` too.
    """
    return re.sub("(?<!/)//[^/:]*(:.*)?@", "//***@", address, flags=re.DOTALL)
