"""For which services an objective is written: ``tier in (1, 2), lifecycle = production``.

::

    condition = clause {"," clause}                      every clause must hold
    clause    = field ("=" | "!=") value
              | field ["not"] "in" "(" value {"," value} ")"
    field     = service | squad | system | tier | language | framework | lifecycle | oncall_timezone
    value     = a word, or anything in quotes
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fleetslo.errors import ObjectiveError, nearest

FIELDS = (
    "service",
    "squad",
    "system",
    "tier",
    "language",
    "framework",
    "lifecycle",
    "oncall_timezone",
)
_TIERS = ("1", "2", "3", "4")
_TOKEN = re.compile(
    r"""\s*(?:(?P<quoted>"[^"]*"|'[^']*')|(?P<sign>!=|[=,()])|(?P<word>[^\s=!,()"']+))"""
)


@dataclass(frozen=True)
class Clause:
    """One field and the values it must, or must not, have."""

    field: str
    values: frozenset[str]
    negated: bool

    def holds(self, service: Mapping[str, Any]) -> bool:
        """Return whether a service meets the clause; a field without a value equals nothing."""
        value = service[self.field]
        return (value is not None and str(value) in self.values) != self.negated


@dataclass(frozen=True)
class Condition:
    """A condition on a row of the table ``services``."""

    text: str
    clauses: tuple[Clause, ...]

    def holds(self, service: Mapping[str, Any]) -> bool:
        """Return whether a service, a row with the fields of the table, meets every clause."""
        return all(clause.holds(service) for clause in self.clauses)

    def __str__(self) -> str:
        """Return the condition as it was written."""
        return self.text


@dataclass
class _Tokens:
    text: str
    at: int = 0

    def refuse(self, at: int, wanted: str) -> ObjectiveError:
        rest = self.text[at:].strip()
        where = f"at {rest!r}" if rest else "at its end"
        return ObjectiveError(f"{where} the condition needs {wanted}")

    def take(self, wanted: str, *, signs: tuple[str, ...] = (), value: bool = False) -> str:
        """Return the next token: one of ``signs`` (words or signs), or any value."""
        start = self.at
        match = _TOKEN.match(self.text, start)
        if match is None:
            raise self.refuse(start, wanted)
        self.at = match.end()
        if match["quoted"] is not None and value:
            return match["quoted"][1:-1]
        token = match["sign"] or match["word"]
        if token is None or (token not in signs if signs else match["word"] is None):
            raise self.refuse(start, wanted)
        return token

    @property
    def done(self) -> bool:
        return not self.text[self.at :].strip()


def parse_condition(text: str) -> Condition:
    """Return the condition that a text states.

    Raises:
        ObjectiveError: the text is not one, naming the place and what it needs there.
    """
    tokens = _Tokens(text)
    clauses = [_clause(tokens)]
    while not tokens.done:
        tokens.take("a comma, or its end", signs=(",",))
        clauses.append(_clause(tokens))
    return Condition(text.strip(), tuple(clauses))


def _clause(tokens: _Tokens) -> Clause:
    start = tokens.at
    field = tokens.take("a field of the table services, such as tier")
    if field not in FIELDS:
        raise ObjectiveError(
            f"services have no field {field!r}.{nearest(field, list(FIELDS))} "
            f"There are {', '.join(FIELDS)}"
        )
    sign = tokens.take(f"=, !=, in or not in after {field}", signs=("=", "!=", "in", "not"))
    if sign == "not":
        tokens.take("in after not", signs=("in",))
    if sign in ("=", "!="):
        values = [_value(tokens, field, start)]
    else:
        tokens.take("( after in", signs=("(",))
        values = [_value(tokens, field, start)]
        while tokens.take("a comma or )", signs=(",", ")")) == ",":
            values.append(_value(tokens, field, start))
    return Clause(field, frozenset(values), sign in ("!=", "not"))


def _value(tokens: _Tokens, field: str, start: int) -> str:
    value = tokens.take(f"a value of {field}; put quotes around spaces and signs", value=True)
    if field == "tier" and value not in _TIERS:
        raise tokens.refuse(start, f"a tier from 1 (most critical) to 4, not {value!r}")
    return value
