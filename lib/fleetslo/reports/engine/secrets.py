"""Parameters that nobody may read: they reach a notebook, and no file, page or log.

A parameter is a secret when its value is ``${NAME}``, the name of an environment variable, or a
``SecretStr``. The notebook is given an expression that reads the variable; what its cells show of
the value is covered.
"""

import base64
import html
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, quote_plus

from pydantic import SecretStr

from fleetslo.errors import ParameterError
from fleetslo.reports.engine.outputs import merge_streams, node

COVER = "••••"
# A shorter value stands in too many words to be covered.
LENGTH_MIN = 4

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True)
class Reference:
    """The value of a parameter that is read from an environment variable."""

    variable: str

    def __str__(self) -> str:
        """Return how a person writes it: ``${NAME}``."""
        return f"${{{self.variable}}}"


@dataclass(frozen=True)
class Secrets:
    """The secrets of one notebook: its parameters without them, the environment with them."""

    parameters: Mapping[str, Any]
    environ: Mapping[str, str]
    values: frozenset[str] = field(repr=False)

    def cover(self, text: str) -> str:
        """Return a text with every secret in it covered, however it is written there."""
        for spelling in self._spellings:
            text = text.replace(spelling, COVER)
        return text

    @property
    def _spellings(self) -> list[str]:
        found = {spelling for value in self.values for spelling in _spellings(value)}
        return sorted(found, key=len, reverse=True)

    def covered(self, value: Any) -> Any:
        """Return what a message holds with every secret in it covered."""
        if not self.values:
            return value
        if isinstance(value, str):
            return self.cover(value)
        if isinstance(value, dict):
            return {self.cover(name): self.covered(one) for name, one in value.items()}
        return [self.covered(one) for one in value] if isinstance(value, list) else value

    def cover_outputs(self, cell: Any) -> None:
        """Cover every secret in the outputs of a cell, which stay the same objects."""
        if self.values:
            merge_streams(cell)
            for output in cell.get("outputs", ()):
                output.update(node(self.covered(dict(output))))


def secrets_of(parameters: Mapping[str, Any], environ: Mapping[str, str]) -> Secrets:
    """Return the secrets among the parameters of a notebook that has this environment.

    Raises:
        ParameterError: a variable is not set, or its value is too short to be covered.
    """
    shown: dict[str, Any] = {}
    known = dict(environ)
    values = set()
    for name, value in parameters.items():
        if isinstance(value, SecretStr):
            shown[name] = Reference(f"SECRET_{name.upper()}")
            secret = known[shown[name].variable] = value.get_secret_value()
        elif isinstance(value, str) and (found := _REFERENCE.fullmatch(value)):
            shown[name] = Reference(found[1])
            if found[1] not in known:
                raise ParameterError(
                    f"parameter {name!r} is {value}, and no environment variable {found[1]} is "
                    "set; set it before the run"
                )
            secret = known[found[1]]
        else:
            shown[name] = value
            continue
        if len(secret) < LENGTH_MIN:
            raise ParameterError(
                f"parameter {name!r} is a secret of {len(secret)} characters, too few to be kept "
                f"out of a page; use at least {LENGTH_MIN}"
            )
        values.add(secret)
    return Secrets(shown, known, frozenset(values))


def _spellings(value: str) -> set[str]:
    """Return the ways in which outputs write a text."""
    return {
        value,
        repr(value)[1:-1],
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        html.escape(value),
        quote(value, safe=""),
        quote_plus(value),
        base64.b64encode(value.encode()).decode(),
    }
