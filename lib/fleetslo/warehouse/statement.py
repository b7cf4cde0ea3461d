"""SQL that a person typed: one SELECT in GoogleSQL, with the values it names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlglot
from sqlglot import exp

from fleetslo.errors import ParameterError, UnknownParameter, UsageError, nearest
from fleetslo.warehouse.dialect import names_in
from fleetslo.warehouse.types import Type

_KINDS: tuple[tuple[type, str], ...] = (
    (bool, "BOOL"),  # before int, which a bool also is
    (int, "INT64"),
    (float, "FLOAT64"),
    (str, "STRING"),
    (datetime, "TIMESTAMP"),  # before date, which a datetime also is
    (date, "DATE"),
)
_BEGIN = ("SELECT", "WITH", "FROM", "(")
_INT64 = range(-(2**63), 2**63)
_TAKEN = "text, whole or other numbers, True and False, dates, instants with a zone, lists of those"


@dataclass(frozen=True)
class Statement:
    """One SELECT, the stored tables it names, and the type and value of each parameter."""

    sql: str
    tables: tuple[str, ...]
    types: Mapping[str, Type]
    values: Mapping[str, Any]


def statement(sql: str, parameters: Mapping[str, Any]) -> Statement:
    """Return a typed statement, checked: it changes nothing, and its parameters are all given.

    The type of a parameter is that of its value: str, int, float, bool, date, aware datetime, or
    a list of one of them; an empty list is one of strings.

    Raises:
        UsageError: it is not one SELECT in GoogleSQL.
        UnknownParameter: a value is given that it does not name.
        ParameterError: a parameter has no value, or one of another type.
    """
    _refuse_changes(sql)
    tables, named = names_in(sql)
    for name in parameters:
        if name not in named:
            raise UnknownParameter(
                f"the SQL names no parameter @{name}.{nearest(name, list(named))} "
                f"It names {', '.join(f'@{one}' for one in named) or 'none'}"
            )
    for name in named:
        if name not in parameters:
            raise ParameterError(f"the SQL names @{name}: give its value as {name}=…")
    types = {name: _type(name, value) for name, value in parameters.items()}
    return Statement(sql, tables, types, dict(parameters))


def _refuse_changes(sql: str) -> None:
    try:
        first = next((token.text.upper() for token in sqlglot.tokenize(sql, read="bigquery")), "")
        if first not in _BEGIN:
            raise UsageError(
                f"{first or 'an empty text'} is not a question; write a SELECT, or a WITH and one"
            )
        found = [one for one in sqlglot.parse(sql, read="bigquery") if one is not None]
    except sqlglot.errors.SqlglotError as error:
        says = str(error).splitlines()[0].rstrip(".")
        raise UsageError(f"not a query in GoogleSQL: {says}") from None
    if len(found) != 1:
        raise UsageError(f"there are {len(found)} statements; write one SELECT")
    parsed = found[0]
    if not isinstance(parsed, exp.Query) or parsed.find(exp.Into):
        raise UsageError("the SQL changes something; write a SELECT, which changes nothing")


def _type(name: str, value: Any) -> Type:
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        kinds = {_scalar(name, one).kind for one in value} or {"STRING"}
        if kinds == {"INT64", "FLOAT64"}:
            kinds = {"FLOAT64"}
        if len(kinds) > 1:
            raise ParameterError(f"{name} mixes {' and '.join(sorted(kinds))}; give one type")
        return Type("ARRAY", element=Type(kinds.pop()))
    return _scalar(name, value)


def _scalar(name: str, value: Any) -> Type:
    kind = next((kind for of, kind in _KINDS if isinstance(value, of)), None)
    if kind is None:
        raise ParameterError(f"{name} is {value!r}; give {_TAKEN}")
    if kind == "TIMESTAMP" and value.tzinfo is None:
        raise ParameterError(f"{name} is {value!r}, without a zone; add tzinfo=datetime.UTC")
    if kind == "INT64" and value not in _INT64:
        raise ParameterError(f"{name} is {value!r}, more than 64 bits hold")
    return Type(kind)
