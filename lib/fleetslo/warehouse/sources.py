"""Mappings of what a company already has onto the tables: the files under ``queries/sources/``.

A source is a GoogleSQL file that asks a table ``raw`` and answers with rows of one of the suite's
tables, and a YAML file of the same name that says what ``raw`` holds::

    says: Requests of each component and five minutes, …
    reads:
      raw: {unix_ts: INT64, microservice: STRING, p50_s: FLOAT64}
    fills: requests
    step: 5m                                          # where one row covers more than a minute
    lookback: 10m                                     # of rows before the period it needs
    usual: {p50_s: p50_ms / 1000}                     # a mapping that says nothing else says this
    time: observed_at                                 # what usually bounds the rows that are read
    parameters:
      traffic: {type: STRING, says: the scenario}     # must be given
      cases: {type: ARRAY<STRING>, default: []}       # may be left out

On an embedded warehouse ``raw`` is read from files; columns that the YAML does not name are left
unread. ``fleetslo.warehouse.mappings`` makes ``raw`` of columns of other names, and runs the same
SQL inside BigQuery over the table that a company has there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from fleetslo import resources
from fleetslo.errors import (
    ContractError,
    ParameterError,
    PeriodError,
    UnknownName,
    UnknownParameter,
    nearest,
)
from fleetslo.periods import instant
from fleetslo.warehouse.contracts import contract
from fleetslo.warehouse.dialect import to_duckdb
from fleetslo.warehouse.engine import connected, explained
from fleetslo.warehouse.raw import read_raw
from fleetslo.warehouse.types import Type

_KEYS = {"says", "reads", "fills", "step", "lookback", "usual", "time", "parameters"}
_PARAMETER_KEYS = {"type", "says", "default"}
_SECONDS = {"s": 1, "m": 60, "h": 3600}
_TRUTH = {"true": True, "false": False}


@dataclass(frozen=True)
class Parameter:
    """What a source asks for; ``required`` unless the YAML gives a default."""

    name: str
    type: Type
    says: str = ""
    default: Any = None
    required: bool = True

    def value(self, given: Any) -> Any:
        """Return a value of the parameter's type; text as from a command line is read.

        A list is written with commas: ``-p splits=train,test``.

        Raises:
            ParameterError: it is no such value.
        """
        if self.type.element is not None:
            texts = given.split(",") if isinstance(given, str) else given
            if not isinstance(texts, (list, tuple)):
                raise self._wrong(given)
            return [self._scalar(self.type.element, item) for item in texts if item != ""]
        return self._scalar(self.type, given)

    def _wrong(self, given: Any) -> ParameterError:
        return ParameterError(f"parameter {self.name!r} is {given!r}; it must be {self.type}")

    def _scalar(self, kind: Type, given: Any) -> Any:
        try:
            match kind.kind:
                case "STRING" if isinstance(given, str):
                    return given
                case "INT64" if not isinstance(given, (bool, float)):
                    return int(given)
                case "FLOAT64" if not isinstance(given, bool):
                    return float(given)
                case "BOOL":
                    return given if isinstance(given, bool) else _TRUTH[str(given).lower()]
                case "TIMESTAMP":
                    return instant(given)
                case "DATE":
                    return instant(given).date()
        except (ValueError, TypeError, KeyError, AttributeError, PeriodError):
            pass
        raise self._wrong(given)


@dataclass(frozen=True)
class Source:
    """SQL that reads a table, ``raw``, and fills one of the suite's tables.

    ``usual`` are expressions for columns of ``raw`` over the table as its product writes it, and
    ``time`` is what bounds that table's rows. Rows from ``lookback`` before a period are read too.
    """

    name: str
    sql: str
    says: str
    reads: Mapping[str, Type]
    fills: str
    parameters: Mapping[str, Parameter]
    step: timedelta | None = None
    lookback: timedelta = timedelta(0)
    usual: Mapping[str, str] = field(default_factory=dict)
    time: str | None = None
    reads_from: str = "raw"

    def rows(
        self, files: Sequence[Path], parameters: Mapping[str, Any] | None = None
    ) -> pl.DataFrame:
        """Return the rows of the table ``fills`` that some files hold, cast to its contract.

        Args:
            files: CSV, NDJSON or Parquet files, ``.gz`` too, read as one table ``raw``.
            parameters: values by name; text is read as a command line gives it.

        Raises:
            DataFileError: a file cannot be read, lacks a column or holds a value of another type.
            ContractError: the answer is not what the table's contract says.
            UnknownParameter: the source has no such parameter.
            ParameterError: a parameter is missing or has the wrong type.
            WarehouseError: the SQL fails, as the logarithm of a negative duration does.
        """
        values = self.values(parameters or {})
        raw = read_raw(files, self.reads)
        with connected() as connection, explained(f"source {self.name}"):
            connection.register(self.reads_from, raw)
            answer = connection.sql(self.for_duckdb(), params=values).pl()
        try:
            return contract(self.fills).cast(answer)
        except ContractError as error:
            raise ContractError(f"source {self.name}: {error}") from None

    def for_duckdb(self) -> str:
        """Return the SQL as DuckDB writes it, with parameters as ``$name``."""
        given = {name: parameter.type for name, parameter in self.parameters.items()}
        filled = {column.name: column.type for column in contract(self.fills).columns}
        return to_duckdb(self.sql, given, filled)

    def values(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return every parameter with its value, checked against its type.

        Raises:
            UnknownParameter: the source has no such parameter.
            ParameterError: a parameter is missing or has the wrong type.
        """
        for name in given:
            if name not in self.parameters:
                known = ", ".join(self.parameters) or "none"
                raise UnknownParameter(
                    f"source {self.name} has no parameter {name!r}."
                    f"{nearest(name, list(self.parameters))} It has: {known}"
                )
        values: dict[str, Any] = {}
        for name, parameter in self.parameters.items():
            if name not in given and parameter.required:
                raise ParameterError(
                    f"source {self.name} needs {name} ({parameter.says or parameter.type}); "
                    f"give it as -p {name}=…"
                )
            values[name] = parameter.value(given.get(name, parameter.default))
        return values


def read_source(name: str | Source) -> Source:
    """Return the source of a name such as ``petshop/requests``; a source itself is given back.

    Raises:
        UnknownName: there is no such source.
        ContractError: its YAML is wrong; the message names file and key.
    """
    if isinstance(name, Source):
        return name
    sql, words = (resources.find("queries", f"sources/{name}.{end}") for end in ("sql", "yaml"))
    if sql is None or words is None:
        known = list_sources()
        raise UnknownName(
            f"there is no source {name!r}.{nearest(name, known)} Sources: {', '.join(known)}"
        )
    try:
        given = yaml.safe_load(words.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ContractError(f"{words}: not valid YAML: {error}") from None
    return _source(name, sql.read_text(encoding="utf-8"), words, given)


def list_sources() -> list[str]:
    """Return the names of all sources, the project's own and the packaged ones."""
    found = resources.listing("queries", "sources/**/*.sql")
    return [name.removeprefix("sources/").removesuffix(".sql") for name, _ in found]


def _source(name: str, sql: str, words: Path, given: Any) -> Source:
    if not isinstance(given, dict):
        raise ContractError(f"{words}: a source is a mapping with says, reads and fills")
    _refuse(words, given, _KEYS)
    for key in ("says", "reads", "fills"):
        if not given.get(key):
            raise ContractError(f"{words}: {key!r} is missing")
    reads = given["reads"]
    if not isinstance(reads, dict) or list(reads) != ["raw"] or not isinstance(reads["raw"], dict):
        raise ContractError(f"{words}: reads names one table, raw: {{column: TYPE, …}}")
    contract(given["fills"])
    return Source(
        name=name,
        sql=sql,
        says=given["says"],
        reads={column: Type.parse(str(kind)) for column, kind in reads["raw"].items()},
        fills=given["fills"],
        parameters={
            key: _parameter(words, key, of) for key, of in (given.get("parameters") or {}).items()
        },
        step=length(words, "step", given.get("step")),
        lookback=length(words, "lookback", given.get("lookback")) or timedelta(0),
        usual=_usual(words, given.get("usual") or {}, reads["raw"]),
        time=given.get("time"),
    )


def _refuse(words: Path, given: dict[str, Any], known: set[str]) -> None:
    for key in given:
        if key not in known:
            raise ContractError(f"{words}: unknown key {key!r}.{nearest(key, sorted(known))}")


def _parameter(words: Path, name: str, given: Any) -> Parameter:
    if not isinstance(given, dict) or "type" not in given:
        raise ContractError(f"{words}: parameter {name!r} needs a type, such as {{type: STRING}}")
    _refuse(words, given, _PARAMETER_KEYS)
    return Parameter(
        name=name,
        type=Type.parse(str(given["type"])),
        says=given.get("says", ""),
        default=given.get("default"),
        required="default" not in given,
    )


def _usual(words: Path, given: Any, raw: Mapping[str, Any]) -> dict[str, str]:
    if not isinstance(given, dict):
        raise ContractError(f"{words}: usual is a mapping of columns of raw to expressions")
    _refuse(words, given, set(raw))
    return {column: str(expression) for column, expression in given.items()}


def length(words: Path, key: str, given: Any) -> timedelta | None:
    """Return the length of time that a key of a file gives, such as 5m, or None.

    Raises:
        ContractError: it is no length.
    """
    if given is None:
        return None
    number, unit = str(given)[:-1], str(given)[-1:]
    if not number.isdigit() or unit not in _SECONDS or int(number) == 0:
        raise ContractError(f"{words}: {key} {given!r} is no length; write 60s, 5m or 1h")
    return timedelta(seconds=int(number) * _SECONDS[unit])
