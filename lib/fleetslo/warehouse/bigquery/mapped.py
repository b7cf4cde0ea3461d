"""A table of a company's own in BigQuery, read through a mapping and loaded without leaving it."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from fleetslo.errors import ContractError, ParameterError, UsageError, WarehouseError, nearest
from fleetslo.warehouse.base import LoadReport, Progress
from fleetslo.warehouse.bigquery import filling
from fleetslo.warehouse.bigquery.faults import explained
from fleetslo.warehouse.contracts import Contract, contract
from fleetslo.warehouse.mappings import TableMapping
from fleetslo.warehouse.sources import Source
from fleetslo.warehouse.types import Type

if TYPE_CHECKING:
    from fleetslo.warehouse.bigquery.warehouse import BigQueryWarehouse

_NO_DAY = "2000-01-01"
"""Bounds a table whose partitions must be filtered, where nothing is to be read of it."""


def load(
    warehouse: "BigQueryWarehouse",
    table: str,
    mapping: TableMapping,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    step: timedelta | None = None,
    parameters: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> LoadReport:
    """Load what a mapping reads in BigQuery into a table: all of its rows, or none.

    Rows of the same grain are replaced, so a period may be loaded again when rows came late.

    Args:
        warehouse: the dataset that is filled.
        table: the table of it.
        mapping: what the columns of the company's table mean.
        start: where the period begins, and
        end: where it ends; both, or neither where the mapping reads its table whole.
        step: how much time one row covers; what the mapping says when None.
        parameters: of the source, over those of the mapping.
        progress: called with (what, done, total).

    Raises:
        UsageError: the mapping names no table, or the period is missing or has no use.
        ParameterError: the period cuts a row, or a parameter is wrong.
        ContractError: a column is not mapped, an expression does not fit the table, or rows break
            the contract.
        WarehouseError: BigQuery refused or failed.
    """
    source, filled = mapping.source_for(table), contract(table)
    step = step or source.step
    if mapping.table is None:
        raise UsageError(
            f"{mapping.path}: from: names no table, and no file is given; "
            "write from: project.dataset.table, or name files"
        )
    bounded = _refuse_period(mapping, source, filled, step, start, end)
    given = source.values(parameters or {})
    types = {name: parameter.type for name, parameter in source.parameters.items()}
    if start is not None and end is not None:
        given |= {"start": start, "end": end}
        if source.lookback:
            given["since"] = start - source.lookback
        types |= dict.fromkeys(given.keys() - types.keys(), Type("TIMESTAMP"))
    asked = [_parameter(name, kind, given[name]) for name, kind in types.items()]
    name = f"mapping {mapping.name}"
    sql = mapping.statement(source, f"`{mapping.table}`", bounded=bounded)
    _refuse_columns(warehouse, mapping, source)
    try:
        warehouse.asker.estimate(sql, asked, name)
    except WarehouseError:
        _refuse_expressions(warehouse, mapping, source)
        raise
    return filling.load_rows(warehouse, filled, sql, asked, name, step=step, progress=progress)


def _refuse_period(
    mapping: TableMapping,
    source: Source,
    filled: Contract,
    step: timedelta | None,
    start: datetime | None,
    end: datetime | None,
) -> bool:
    """Return whether the period bounds what is read; refuse one that is wrong."""
    if mapping.bound(source) is None:
        if start is not None or end is not None:
            raise UsageError(
                f"{mapping.path}: time: names no column, so its table is read whole; "
                "leave out --from and --to, or name the column"
            )
        return False
    if start is None or end is None:
        raise UsageError(
            f"mapping {mapping.name!r} reads a period; give --from and --to, such as "
            "--from 2026-10-01 --to 2026-10-02"
        )
    if start >= end:
        raise ParameterError(f"--from {start.isoformat()} is not before --to {end.isoformat()}")
    covers = max(filled.step, step) if filled.step and step else filled.step
    for option, at in (("--from", start), ("--to", end)):
        if covers is not None and at.timestamp() % covers.total_seconds():
            raise ParameterError(
                f"{option} {at.isoformat()} cuts a row of {filled.table}, which covers {covers}; "
                "the part would replace the whole: give a time at which one begins"
            )
    return True


def _parameter(name: str, kind: Type, value: Any) -> Any:
    from google.cloud import bigquery

    if kind.element is not None:
        return bigquery.ArrayQueryParameter(name, kind.element.kind, value)
    return bigquery.ScalarQueryParameter(name, kind.kind, value)


def _refuse_columns(warehouse: "BigQueryWarehouse", mapping: TableMapping, source: Source) -> None:
    """Refuse a table that lacks a column which is taken from it by name."""
    from google.api_core.exceptions import NotFound

    table = mapping.table or ""
    if "*" in table or "$" in table:
        return
    with explained(warehouse.url, f"mapping {mapping.name}"):
        try:
            held = [field.name for field in warehouse.client.get_table(table).schema]
        except NotFound:
            raise WarehouseError(
                f"{mapping.path}: from: there is no table {table}, or you may not see it"
            ) from None
    known = {name.lower() for name in held}
    for column in mapping.taken_by_name(source):
        if column.lower() not in known:
            raise ContractError(
                f"{mapping.path}: columns: {column!r} is not mapped, and {table} has no such "
                f"column.{nearest(column, held)} Write {column}: EXPRESSION, or {column}: 'NULL' "
                "where there is none"
            )


def _refuse_expressions(
    warehouse: "BigQueryWarehouse", mapping: TableMapping, source: Source
) -> None:
    """Refuse the first expression that does not fit the table; nothing is read for that."""
    time = mapping.bound(source)
    where = f" WHERE {time} >= TIMESTAMP '{_NO_DAY}' AND {time} < TIMESTAMP '{_NO_DAY}'"
    table = f"`{mapping.table}`{where if time else ''}"
    for column in source.reads:
        sql = f"SELECT {mapping.value(source, column)} AS `{column}` FROM {table}"
        try:
            warehouse.asker.estimate(sql, [], f"mapping {mapping.name}")
        except WarehouseError as error:
            raise ContractError(
                f"{mapping.path}: columns: {column}: {mapping.expression(source, column)!r} does "
                f"not fit {mapping.table}: {error}"
            ) from None
