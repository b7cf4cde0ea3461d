"""How a value of a file becomes a value of a column, in DuckDB's SQL, without losing anything.

A cast that would change a value (1.5 into a whole number, a time without a zone into UTC) is
refused, and so is one that cannot be done; each refusal knows why, in words for the person who
owns the file.
"""

import json
from dataclasses import dataclass

from fleetslo.errors import ContractError
from fleetslo.warehouse.contracts import Column
from fleetslo.warehouse.engine import literal, quoted
from fleetslo.warehouse.types import Type

# A time of day with Z, UTC or an offset behind it.
_ZONED = r"\d:\d\d(:\d\d(\.\d+)?)?\s*([Zz]|UTC|[+-]\d\d(:?\d\d)?)$"

_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UHUGEINT")
_WHOLE = {*_INTEGERS, *(f"U{name}" for name in _INTEGERS)}
_PLAIN_TYPES = {
    "STRING": {"VARCHAR", "UUID", "ENUM"},
    "INT64": {*_WHOLE, "DOUBLE", "FLOAT", "DECIMAL"},
    "FLOAT64": {*_WHOLE, "DOUBLE", "FLOAT", "DECIMAL"},
    "BOOL": {"BOOLEAN"},
    "TIMESTAMP": {"TIMESTAMP WITH TIME ZONE"},
    "DATE": {"DATE"},
}


@dataclass(frozen=True)
class Conversion:
    """SQL for a column's ``value``, null where it cannot be had, and for ``why`` it cannot."""

    value: str
    why: str


def converted(where: str, column: Column, raw: str, given: str, *, from_csv: bool) -> Conversion:
    """Return how to make a column's value from a raw one.

    Args:
        where: the file, for messages.
        column: the column to fill.
        raw: SQL of the raw value.
        given: the DuckDB type of the raw value; VARCHAR is read as text.
        from_csv: whether an empty text and a missing one cannot be told apart.

    Raises:
        ContractError: no value of the given type can fill the column.
    """
    if given == "VARCHAR":
        conversion = _from_text(column.type, raw)
    else:
        conversion = _from_typed(where, column, raw, given)
    if column.type.is_histogram:
        empty = f"CASE WHEN {raw} IS NULL THEN [] ELSE {conversion.value} END"
        return Conversion(f"CAST({empty} AS {column.type.duckdb})", conversion.why)
    if from_csv and column.type.kind == "STRING" and not column.nullable:
        return Conversion(f"coalesce({conversion.value}, '')", conversion.why)
    return conversion


def _from_text(kind: Type, raw: str) -> Conversion:
    cast = f"TRY_CAST({raw} AS {kind.duckdb})"
    if kind.is_histogram:
        return Conversion(
            _histogram(raw), literal("is not a histogram; write [[bucket, count], …]")
        )
    if kind.kind in ("ARRAY", "STRUCT"):
        shape = literal(json.dumps(_structure(kind)))
        value = f"TRY(from_json(CASE WHEN json_valid({raw}) THEN {raw} END, {shape}))"
        return Conversion(f"CAST({value} AS {kind.duckdb})", literal(f"is not {kind} as JSON"))
    if kind.kind == "INT64":
        lossy = f"regexp_matches({raw}, '[.eE]') AND TRY_CAST({raw} AS DOUBLE)"
        value = f"CASE WHEN {lossy} <> trunc(TRY_CAST({raw} AS DOUBLE)) THEN NULL ELSE {cast} END"
        return Conversion(value, literal("is not a whole number"))
    if kind.kind == "TIMESTAMP":
        zoned = f"regexp_matches({raw}, {literal(_ZONED)})"
        why = (
            f"CASE WHEN {cast} IS NOT NULL AND NOT {zoned} "
            "THEN 'has no zone; write 2026-11-01T06:00Z or 2026-11-01T07:00+01:00' "
            "ELSE 'is not an instant; write 2026-11-01T06:00Z' END"
        )
        return Conversion(f"CASE WHEN {zoned} THEN {cast} END", why)
    says = {
        "STRING": "is not a text",
        "FLOAT64": "is not a number",
        "BOOL": "is neither true nor false",
        "DATE": "is not a date; write 2026-11-01",
    }
    return Conversion(cast, literal(says[kind.kind]))


def _histogram(raw: str) -> str:
    """Return SQL that reads [[bucket, count], …] or [{"bucket": …, "count": …}, …]."""
    pairs = (
        f"list_transform(TRY_CAST({raw} AS BIGINT[][]), lambda p: "
        "CASE WHEN len(p) = 2 THEN {'bucket': p[1], 'count': p[2]} END)"
    )
    objects = f"TRY_CAST({raw} AS STRUCT(bucket BIGINT, count BIGINT)[])"
    read = f"CASE WHEN contains({raw}, '{{') THEN {objects} ELSE {pairs} END"
    broken = "lambda b: b IS NULL OR b.bucket IS NULL OR b.count IS NULL"
    return (
        f"CASE WHEN contains({raw}, '.') OR len(list_filter({read}, {broken})) > 0 "
        f"THEN NULL ELSE {read} END"
    )


def _structure(kind: Type) -> object:
    """Return a type as DuckDB's from_json spells it."""
    if kind.element is not None:
        return [_structure(kind.element)]
    if kind.fields:
        return {name: _structure(of) for name, of in kind.fields}
    return kind.duckdb


def _from_typed(where: str, column: Column, raw: str, given: str) -> Conversion:
    kind = column.type
    if given == kind.duckdb:
        return Conversion(raw, "''")
    if given == "JSON":
        return _from_text(kind, f"({raw} ->> '$')")
    base = given.partition("(")[0]
    if kind.kind in ("ARRAY", "STRUCT"):
        fits = given.endswith("[]") == (kind.kind == "ARRAY") and "STRUCT" in given
        if kind.is_histogram and not ("bucket" in given and "count" in given):
            fits = False
    else:
        fits = base in _PLAIN_TYPES[kind.kind] and not given.endswith("]")
    if not fits:
        hint = "; store it as UTC" if kind.kind == "TIMESTAMP" and "TIMESTAMP" in given else ""
        called = "a time without a zone" if hint else given
        raise ContractError(f"{where}: column {column.name!r} is {called}, not {kind}{hint}")
    cast = f"TRY_CAST({raw} AS {kind.duckdb})"
    if kind.kind == "INT64" and base in ("DOUBLE", "FLOAT", "DECIMAL"):
        cast = f"CASE WHEN {raw} = trunc({raw}) THEN {cast} END"
    return Conversion(cast, literal(f"is not {kind}"))


def raw_name(name: str) -> str:
    """Return the quoted name that a raw column goes by, beside the column made from it."""
    return quoted(f"raw {name}")
