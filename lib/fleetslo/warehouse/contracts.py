"""What each table holds: the files under ``queries/tables/``, read and made usable.

A contract is one YAML file. The same file makes the Parquet schema, the cast of a frame, the
BigQuery table and the checks, so nothing about a table is said twice::

    table: requests
    version: 1
    says: One row per minute, service, …
    grain: [minute, service, endpoint, region, version]
    partition: minute                      # by UTC day; left out for small tables
    cluster: [service, endpoint]
    keep_days: 100                         # BigQuery drops older days; left out: keeps them all
    columns:
      request_count: {type: INT64, unit: requests, checks: [">= 0"], says: …}
      upstream: {type: STRING, nullable: true}
    checks:
      - {name: errors within requests, expression: error_count <= request_count, severity: fail}

Expressions are GoogleSQL over the columns of one row; see ``fleetslo.warehouse.rules``.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import polars as pl
import yaml

from fleetslo import resources
from fleetslo.errors import ContractError, UnknownTable, nearest
from fleetslo.warehouse.rules import Check, Severity, type_checks
from fleetslo.warehouse.types import Type


@dataclass(frozen=True)
class Column:
    """One column of a table or query. It may be null only where ``nullable`` says so."""

    name: str
    type: Type
    unit: str | None = None
    says: str = ""
    checks: tuple[Check, ...] = ()
    nullable: bool = False
    renamed_from: str | None = None


@dataclass(frozen=True)
class Contract:
    """What one table holds: its grain, columns, order on disk and rules."""

    table: str
    says: str
    grain: tuple[str, ...]
    columns: tuple[Column, ...]
    version: int = 1
    partition: str | None = None
    cluster: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    derived: bool = False
    late_after: timedelta | None = None
    keep_days: int | None = None
    by_name: dict[str, Column] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index the columns by name."""
        object.__setattr__(self, "by_name", {column.name: column for column in self.columns})

    @property
    def schema(self) -> dict[str, pl.DataType]:
        """Column names and Polars types, in the order of the contract."""
        return {column.name: column.type.polars for column in self.columns}

    @property
    def order(self) -> tuple[str, ...]:
        """The columns that rows are sorted by on disk: the cluster, then the rest of the grain."""
        return tuple(dict.fromkeys((*self.cluster, *self.grain)))

    @property
    def every_check(self) -> tuple[Check, ...]:
        """The rules of single columns, then those of whole rows."""
        return (*(check for column in self.columns for check in column.checks), *self.checks)

    @property
    def rules(self) -> tuple[Check, ...]:
        """Every rule that a stored row must keep: what may not be null, then ``every_check``."""
        nulls = (
            Check(f"{column.name} is not null", f"{column.name} IS NOT NULL", column=column.name)
            for column in self.columns
            if not column.nullable
        )
        return (*nulls, *self.every_check)

    @property
    def step(self) -> timedelta | None:
        """The time that one row covers: a minute, an hour or a day, or None for events."""
        steps = {"minute": 1, "hour": 60, "day": 1440}
        known = self.partition in steps and self.partition in self.grain
        return timedelta(minutes=steps[self.partition or ""]) if known else None

    def column(self, name: str) -> Column:
        """Return a column by name.

        Raises:
            ContractError: the table has no such column.
        """
        if name not in self.by_name:
            raise ContractError(
                f"{self.table}: there is no column {name!r}.{nearest(name, list(self.by_name))}"
            )
        return self.by_name[name]

    def cast(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return a frame with exactly the contract's columns, types and order.

        Nullable columns that are missing are filled with null, histograms that are null are
        empty, as BigQuery stores them.

        Raises:
            ContractError: a column is missing, unknown, of another type or null where it may not.
        """
        names = list(self.by_name)
        for name in frame.columns:
            if name not in self.by_name:
                raise ContractError(
                    f"{self.table}: there is no column {name!r}.{nearest(name, names)}"
                )
        series: list[pl.Series] = []
        for column in self.columns:
            given = self._given(column, frame)
            if column.type.is_histogram:
                given = given.fill_null([])
            elif not column.nullable and given.null_count():
                raise ContractError(
                    f"{self.table}: column {column.name!r} is null in {given.null_count():,} rows; "
                    "the contract does not allow it"
                )
            series.append(given)
        return pl.DataFrame(series)

    def _given(self, column: Column, frame: pl.DataFrame) -> pl.Series:
        if column.name not in frame.columns:
            if not column.nullable and not column.type.is_histogram:
                raise ContractError(f"{self.table}: column {column.name!r} is missing")
            return pl.Series(column.name, [None] * frame.height, dtype=column.type.polars)
        given = frame[column.name]
        if given.dtype == column.type.polars:
            return given
        if isinstance(given.dtype, pl.Datetime) and given.dtype.time_zone is None:
            raise ContractError(
                f"{self.table}: column {column.name!r} is a time without a zone; store it as UTC"
            )
        try:
            return given.cast(column.type.polars, strict=True)
        except pl.exceptions.PolarsError as error:
            raise ContractError(
                f"{self.table}: column {column.name!r} is {given.dtype}, not {column.type}: {error}"
            ) from None


_COLUMN_KEYS = {"type", "unit", "says", "checks", "nullable", "renamed_from"}
_KEYS = {
    "table", "version", "says", "grain", "partition", "cluster", "columns", "checks", "derived",
    "late_after_hours", "keep_days",
}  # fmt: skip


def _refuse(where: str, given: dict[str, Any], known: set[str]) -> None:
    for key in given:
        if key not in known:
            raise ContractError(f"{where}: unknown key {key!r}.{nearest(key, sorted(known))}")


def read_column(where: str, name: str, given: Any) -> Column:
    """Return a column from its YAML: a mapping with at least ``type``.

    Args:
        where: the file, for messages.
        name: the column's name.
        given: what the YAML says about it.

    Raises:
        ContractError: an unknown key, or a type that does not exist.
    """
    if not isinstance(given, dict) or "type" not in given:
        raise ContractError(f"{where}: column {name!r} needs a type, such as {{type: INT64}}")
    _refuse(f"{where}: column {name!r}", given, _COLUMN_KEYS)
    try:
        kind = Type.parse(str(given["type"]))
    except ContractError as error:
        raise ContractError(f"{where}: column {name!r}: {error}") from None
    checks = [
        Check(f"{name} {rule}", f"{name} {rule}", column=name) for rule in given.get("checks", [])
    ]
    return Column(
        name=name,
        type=kind,
        unit=given.get("unit"),
        says=given.get("says", ""),
        checks=(*type_checks(name, kind), *checks),
        nullable=bool(given.get("nullable", False)),
        renamed_from=given.get("renamed_from"),
    )


def _read_check(where: str, given: Any) -> Check:
    if not isinstance(given, dict) or not {"name", "expression"} <= given.keys():
        raise ContractError(f"{where}: a check needs a name and an expression, not {given!r}")
    _refuse(f"{where}: check {given['name']!r}", given, {"name", "expression", "severity"})
    severity = given.get("severity", "fail")
    if severity not in ("fail", "warn"):
        raise ContractError(
            f"{where}: check {given['name']!r}: severity {severity!r} is neither fail nor warn"
        )
    return Check(given["name"], given["expression"], cast(Severity, severity))


def read_contract(path: Path) -> Contract:
    """Return the contract that a file holds.

    Raises:
        ContractError: the file is not such a contract; the message names file and key.
    """
    where = path.name
    try:
        given = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ContractError(f"{path}: not valid YAML: {error}") from None
    if not isinstance(given, dict):
        raise ContractError(f"{path}: a contract is a mapping with table, grain and columns")
    _refuse(where, given, _KEYS)
    for key in ("table", "grain", "columns"):
        if not given.get(key):
            raise ContractError(f"{where}: {key!r} is missing")
    if given["table"] != path.stem:
        raise ContractError(f"{where}: table is {given['table']!r}; it must be the file's name")
    hours, days = given.get("late_after_hours"), given.get("keep_days")
    contract = Contract(
        table=given["table"],
        says=given.get("says", ""),
        grain=tuple(given["grain"]),
        columns=tuple(read_column(where, name, of) for name, of in given["columns"].items()),
        version=int(given.get("version", 1)),
        partition=given.get("partition"),
        cluster=tuple(given.get("cluster", ())),
        checks=tuple(_read_check(where, check) for check in given.get("checks", [])),
        derived=bool(given.get("derived", False)),
        late_after=None if hours is None else timedelta(hours=float(hours)),
        keep_days=None if days is None else int(days),
    )
    for name in (*contract.grain, *contract.cluster, contract.partition or contract.grain[0]):
        if name not in contract.by_name:
            known = list(contract.by_name)
            raise ContractError(
                f"{where}: grain, cluster or partition names {name!r}, which is no column."
                f"{nearest(name, known)}"
            )
    if contract.partition and str(contract.column(contract.partition).type) != "TIMESTAMP":
        raise ContractError(f"{where}: partition {contract.partition!r} must be a TIMESTAMP")
    return contract


def read_contracts() -> dict[str, Contract]:
    """Return every table's contract by name: the project's own over the packaged ones.

    Raises:
        ContractError: one of the files is wrong.
    """
    files = tuple(path for _, path in resources.listing("queries", "tables/*.yaml"))
    return dict(_read_all(files, tuple(path.stat().st_mtime_ns for path in files)))


@lru_cache(maxsize=8)
def _read_all(files: tuple[Path, ...], changed: tuple[int, ...]) -> dict[str, Contract]:
    """Read the files; ``changed`` makes an edited file be read again."""
    contracts = [read_contract(path) for path in files]
    return {contract.table: contract for contract in contracts}


def contract(table: str) -> Contract:
    """Return a table's contract.

    Raises:
        UnknownTable: no contract describes such a table.
    """
    contracts = read_contracts()
    if table not in contracts:
        raise UnknownTable(
            f"there is no table {table!r}.{nearest(table, list(contracts))} "
            f"Tables: {', '.join(contracts)}"
        )
    return contracts[table]
