"""The questions that can be asked: ``queries/<subject>/NAME.sql`` with ``NAME.yaml`` beside it.

The SQL is GoogleSQL; the YAML says what comes back and what must be given::

    says: Good and valid requests of each service and day.
    owner: reliability
    grain: [service, day]
    parameters: {start: TIMESTAMP, end: TIMESTAMP, services: ARRAY<STRING>}
    sliced_by: service     # filtering the fleet's answer equals asking for one service
    timed_by: day          # each row belongs to the instant, or step, that this column holds
    over: slo/minutes      # the SQL may be asked of that question's answer instead of the table
    lookback: 2d           # what began this long before @start may reach into the period: @since
    columns:
      good_count: {type: INT64, unit: requests, says: …}

A project's own file hides the packaged one of the same name.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import polars as pl
import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from fleetslo import resources
from fleetslo.errors import (
    ContractError,
    ParameterError,
    PeriodError,
    UnknownParameter,
    UnknownQuery,
    nearest,
)
from fleetslo.periods import instant
from fleetslo.warehouse.contracts import Column, Contract, read_column
from fleetslo.warehouse.dialect import names_in, to_duckdb
from fleetslo.warehouse.types import Type

# Folders under queries/ that hold no questions of their own.
_NOT_SUBJECTS = {"tables", "sources", "rollups", "objectives"}
# The types a parameter may have, and the Python values that stand for them.
_VALUES: dict[str, tuple[type, ...]] = {
    "STRING": (str,),
    "INT64": (int,),
    "FLOAT64": (float, int),
    "BOOL": (bool,),
    "TIMESTAMP": (datetime,),
    "DATE": (date,),
}
_WRITE = {
    "STRING": "a text",
    "INT64": "a whole number",
    "FLOAT64": "a number",
    "BOOL": "true or false",
    "TIMESTAMP": "an instant with a zone",
    "DATE": "a date",
}


class _Document(BaseModel):
    """What ``NAME.yaml`` holds; a misspelt key is refused."""

    model_config = ConfigDict(extra="forbid", strict=True)

    says: str
    owner: str = ""
    grain: list[str]
    parameters: dict[str, str]
    sliced_by: str | None = None
    timed_by: str | None = None
    over: str | None = None
    lookback: str | None = None
    columns: dict[str, Any]


@dataclass(frozen=True)
class Query:
    """One question: its GoogleSQL, what it asks for and what it answers.

    ``tables`` are the stored ones that it reads. ``sliced_by`` names the column by which a fleet's
    answer may be cut into the answers for single services, ``timed_by`` the one by which an answer
    may be cut into those for shorter periods (of whole steps, where there is ``over``). ``over``
    names the question whose answer holds all that this one reads of its table; with a lookback it
    may be the question itself. With a ``lookback``, ``bind`` adds the parameter ``since``.
    """

    name: str
    sql: str
    says: str
    grain: tuple[str, ...]
    parameters: Mapping[str, Type]
    columns: tuple[Column, ...]
    tables: tuple[str, ...]
    owner: str = ""
    sliced_by: str | None = None
    timed_by: str | None = None
    over: str | None = None
    lookback: timedelta = timedelta(0)
    contract: Contract = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """See the answer as a table with a contract of its own."""
        contract = Contract(self.name, self.says, self.grain, self.columns)
        object.__setattr__(self, "contract", contract)

    @property
    def bound_types(self) -> Mapping[str, Type]:
        """The type of every parameter that the SQL may name, ``since`` included."""
        if not self.lookback:
            return self.parameters
        return {**self.parameters, "since": Type("TIMESTAMP")}

    def bind(self, **parameters: Any) -> dict[str, Any]:
        """Return the values of all parameters, checked; ``services`` is [] unless given, sorted.

        A query with a lookback also gets ``since``: that long before ``start``. Its partitions
        are bounded by ``since`` and ``end``, those of other queries by ``start`` and ``end``.

        Raises:
            UnknownParameter: the query has no such parameter.
            ParameterError: one is missing, has the wrong type, or ``end`` is not after ``start``.
        """
        self._refuse_unknown(parameters)
        bound: dict[str, Any] = {}
        for name, kind in self.parameters.items():
            if name == "services":
                parameters.setdefault("services", [])
            if name not in parameters:
                raise ParameterError(
                    f"query {self.name!r} needs {name!r} ({kind}); it takes {self._signature()}"
                )
            bound[name] = _checked(self.name, name, kind, parameters[name])
        if "services" in bound:  # the same set in the same bytes, which BigQuery's cache knows by
            bound["services"] = sorted(set(bound["services"]))
        if {"start", "end"} <= bound.keys() and bound["start"] >= bound["end"]:
            raise ParameterError(
                f"query {self.name!r}: start {bound['start'].isoformat()} is not before "
                f"end {bound['end'].isoformat()}"
            )
        if self.lookback:
            bound["since"] = bound["start"] - self.lookback
        return bound

    def parse(self, texts: Mapping[str, str]) -> dict[str, Any]:
        """Return parameters that a person typed as the values they stand for.

        An array is written with commas between its elements, an instant as ``periods.instant``
        reads it.

        Raises:
            UnknownParameter: the query has no such parameter.
            ParameterError: a text does not name a value of the parameter's type.
        """
        self._refuse_unknown(texts)
        values: dict[str, Any] = {}
        for name, text in texts.items():
            kind = self.parameters[name]
            if kind.element is None:
                values[name] = _parsed(self.name, name, kind, text)
            else:
                listed = text.strip().removeprefix("[").removesuffix("]").split(",")
                parts = [part.strip() for part in listed if part.strip()]
                values[name] = [_parsed(self.name, name, kind.element, part) for part in parts]
        return values

    def _refuse_unknown(self, names: Iterable[str]) -> None:
        for name in names:
            if name not in self.parameters:
                raise UnknownParameter(
                    f"query {self.name!r} has no parameter {name!r}."
                    f"{nearest(name, list(self.parameters))} It takes {self._signature()}"
                )

    def _signature(self) -> str:
        return ", ".join(f"{name} ({kind})" for name, kind in self.parameters.items())

    def cast(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return the answer with the columns, types and order of the contract, sorted by grain.

        Engines disagree on types (a sum of integers is a decimal in one) and on the order of
        rows; after the cast they do not. An array that is null is empty.

        Raises:
            ContractError: a column is missing, unknown, of another type or null where it may not.
        """
        names = list(self.contract.by_name)
        for name in names:
            if name not in frame.columns:
                raise ContractError(
                    f"query {self.name!r}: the answer lacks column {name!r}; "
                    f"it has {', '.join(frame.columns) or 'none'}"
                )
        answer = self.contract.cast(frame)
        by = sorted(self.grain, key=lambda name: name != self.sliced_by)
        return answer.sort(by, nulls_last=False, maintain_order=True)


def _checked(query: str, name: str, kind: Type, value: Any) -> Any:
    if kind.element is not None:
        if not isinstance(value, Sequence) or isinstance(value, str | bytes):
            raise ParameterError(
                f"query {query!r}: {name} is {value!r}; give a list of {kind.element}"
            )
        return [_checked(query, f"an element of {name}", kind.element, each) for each in value]
    wrong = not isinstance(value, _VALUES[kind.kind])
    wrong |= isinstance(value, bool) and kind.kind != "BOOL"
    wrong |= isinstance(value, datetime) and kind.kind == "DATE"
    wrong |= isinstance(value, datetime) and value.tzinfo is None
    if wrong:
        raise ParameterError(
            f"query {query!r}: {name} is {value!r}, not {kind.kind}; give {_WRITE[kind.kind]}"
        )
    return float(value) if kind.kind == "FLOAT64" else value


def _parsed(query: str, name: str, kind: Type, text: str) -> Any:
    try:
        if kind.kind == "BOOL":
            return {"true": True, "false": False}[text.strip().lower()]
        if kind.kind == "TIMESTAMP":
            return instant(text)
        if kind.kind == "DATE":
            return date.fromisoformat(text)
        return {"INT64": int, "FLOAT64": float, "STRING": str}[kind.kind](text)
    except (ValueError, KeyError, PeriodError):
        raise ParameterError(
            f"query {query!r}: {name} is {text!r}, not {kind}; write {_WRITE[kind.kind]}"
        ) from None


def list_queries() -> list[str]:
    """Return the name of every query, such as ``slo/days``, sorted."""
    found = resources.listing("queries", "*/*.sql")
    names = [relative.removesuffix(".sql") for relative, _ in found]
    return [name for name in names if name.split("/")[0] not in _NOT_SUBJECTS]


def read_query(name: str) -> Query:
    """Return the query of this name: the project's own, else the packaged one.

    Raises:
        UnknownQuery: there is no such query.
        ContractError: its SQL or YAML is wrong; the message names the file.
    """
    sql = resources.find("queries", f"{name}.sql")
    if sql is None or name.split("/")[0] in _NOT_SUBJECTS - {"rollups"}:
        known = list_queries()
        raise UnknownQuery(
            f"there is no query {name!r}.{nearest(name, known)} Queries: {', '.join(known)}"
        )
    beside = sql.with_suffix(".yaml")
    if not beside.is_file():
        raise ContractError(f"{sql}: there is no {beside.name} beside it to say what it answers")
    return _read(name, sql, beside, sql.stat().st_mtime_ns, beside.stat().st_mtime_ns)


@lru_cache(maxsize=256)
def _read(name: str, sql: Path, beside: Path, *changed: int) -> Query:
    """Read a query; ``changed`` makes an edited file be read again."""
    try:
        given = yaml.safe_load(beside.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ContractError(f"{beside}: not valid YAML: {error}") from None
    try:
        document = _Document.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "the document"
        raise ContractError(
            f"{beside}: {key}: {first['msg']}.{nearest(key, list(_Document.model_fields))}"
        ) from None
    columns = tuple(read_column(str(beside), key, of) for key, of in document.columns.items())
    parameters = {key: _parameter(beside, key, text) for key, text in document.parameters.items()}
    text = sql.read_text(encoding="utf-8")
    try:
        tables, named = names_in(text)
    except ContractError as error:
        raise ContractError(f"{sql}: {error}") from None
    query = Query(
        name=name,
        sql=text,
        says=document.says,
        owner=document.owner,
        grain=tuple(document.grain),
        parameters=parameters,
        columns=columns,
        tables=tables,
        sliced_by=document.sliced_by,
        timed_by=document.timed_by,
        over=document.over,
        lookback=_lookback(beside, document.lookback),
    )
    for column in (*query.grain, *filter(None, (query.sliced_by, query.timed_by))):
        if column not in query.contract.by_name:
            raise ContractError(
                f"{beside}: grain, sliced_by or timed_by names {column!r}, no such column"
            )
    for parameter in sorted(set(named) ^ set(query.bound_types)):
        if parameter in named:
            says = f"the SQL names @{parameter}, which {beside.name} does not declare"
        else:
            says = f"{beside.name} declares {parameter!r}, which the SQL does not name"
        raise ContractError(f"{sql}: {says}")
    return query


def _parameter(file: Path, name: str, text: str) -> Type:
    try:
        kind = Type.parse(text)
    except ContractError as error:
        raise ContractError(f"{file}: parameter {name!r}: {error}") from None
    if (kind.element or kind).kind not in _VALUES:
        raise ContractError(f"{file}: parameter {name!r}: {text} cannot be given as a value")
    return kind


def _lookback(file: Path, text: str | None) -> timedelta:
    if text is None:
        return timedelta(0)
    match = re.fullmatch(r"(\d+)([hd])", text)
    if match is None:
        raise ContractError(f"{file}: lookback {text!r} is no length; write 2d or 36h")
    return timedelta(hours=int(match[1]) * {"h": 1, "d": 24}[match[2]])


def for_duckdb(query: Query) -> str:
    """Return a query's SQL as DuckDB reads it; ``@start`` is ``$start`` there."""
    return _translated(query.sql, tuple(query.bound_types.items()), query.columns)


@lru_cache(maxsize=256)
def _translated(
    sql: str, parameters: tuple[tuple[str, Type], ...], columns: tuple[Column, ...]
) -> str:
    return to_duckdb(sql, dict(parameters), {column.name: column.type for column in columns})
