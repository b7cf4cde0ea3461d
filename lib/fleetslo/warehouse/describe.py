"""What a folder holds, read from the footers of its Parquet files alone."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import polars as pl

from fleetslo.warehouse.contracts import Contract
from fleetslo.warehouse.engine import answer, connected, explained, literal
from fleetslo.warehouse.layout import Layout

SCHEMA = {
    "table": pl.String(),
    "says": pl.String(),
    "rows": pl.Int64(),
    "days": pl.Int64(),
    "first": pl.Datetime("us", "UTC"),
    "last": pl.Datetime("us", "UTC"),
    "bytes": pl.Int64(),
}

# Tables that say how far the telemetry reaches, finest first.
COVERING = ("requests", "sli_events", "slo_minutes", "requests_hourly")


def describe(layout: Layout, contracts: Mapping[str, Contract]) -> pl.DataFrame:
    """Return one row per table: table, says, rows, days, first, last, bytes.

    ``first`` and ``last`` are the oldest and newest value of the partition's time; they and
    ``days`` are null for tables without one.

    Raises:
        DataFileError: a file is cut short or damaged; the message names it.
    """
    described = []
    with connected() as connection:
        for contract in contracts.values():
            files = layout.files(contract.table)
            with explained(f"describe {contract.table}"):
                first, last = span(connection, contract, files)
                rows = _rows(connection, files)
            described.append(
                {
                    "table": contract.table,
                    "says": contract.says,
                    "rows": rows,
                    "days": len(layout.days(contract.table)) if contract.partition else None,
                    "first": first,
                    "last": last,
                    "bytes": sum(file.stat().st_size for file in files),
                }
            )
    return pl.DataFrame(described, schema=SCHEMA)


def _paths(files: list[Path]) -> str:
    return f"[{', '.join(literal(file) for file in files)}]"


def _rows(connection: duckdb.DuckDBPyConnection, files: list[Path]) -> int:
    if not files:
        return 0
    select = f"SELECT sum(num_rows) FROM parquet_file_metadata({_paths(files)})"
    return int(answer(connection, select)[0][0])


def span(
    connection: duckdb.DuckDBPyConnection, contract: Contract, files: list[Path]
) -> tuple[datetime | None, datetime | None]:
    """Return the oldest and newest time of files, which are in order, so the outer ones hold them.

    Both are None for a table without a partition.
    """
    if contract.partition is None or not files:
        return None, None
    ends = _paths([files[0], files[-1]])
    found = connection.sql(
        "SELECT min(CAST(stats_min_value AS TIMESTAMPTZ)) AS first, "
        f"max(CAST(stats_max_value AS TIMESTAMPTZ)) AS last FROM parquet_metadata({ends}) "
        f"WHERE path_in_schema = {literal(contract.partition)}"
    ).pl()
    return found["first"][0], found["last"][0]


def newest(layout: Layout, contracts: Mapping[str, Contract]) -> dict[str, datetime]:
    """Return the newest time of each table that has a partition and rows."""
    found = {}
    with connected() as connection:
        for contract in contracts.values():
            with explained(f"describe {contract.table}"):
                last = span(connection, contract, layout.files(contract.table)[-1:])[1]
            if last is not None:
                found[contract.table] = last
    return found


def complete_until(layout: Layout, contracts: Mapping[str, Contract]) -> datetime | None:
    """Return the end of the newest minute, or step of a coarser source, that is covered."""
    lasts: dict[str, datetime | None] = {}
    with connected() as connection:
        for table in COVERING:
            with explained(f"describe {table}"):
                files = layout.files(table)[-1:]
                lasts[table] = span(connection, contracts[table], files)[1]

    def coarser(table: str, last: datetime) -> dict[str, timedelta]:
        return layout.steps(table, last, last + timedelta(microseconds=1))

    return reached(contracts, lasts, coarser)


def reached(
    contracts: Mapping[str, Contract],
    lasts: Mapping[str, datetime | None],
    coarser: Callable[[str, datetime], Mapping[str, timedelta]],
) -> datetime | None:
    """Return the end of what the newest rows of the covering tables cover, or None.

    An hourly row counts only where no minute of that hour is stored: the hour may be unfinished.

    Args:
        contracts: by table.
        lasts: the newest time of each table that has one.
        coarser: returns the steps of a table's services that cover more than its grain at a time.
    """
    newest: datetime | None = None
    for table in COVERING:
        last, step = lasts.get(table), contracts[table].step
        if last is None or step is None:
            continue
        end = last + max([step, *coarser(table, last).values()])
        if newest is None or (table != "requests_hourly" and end > newest) or last >= newest:
            newest = end
    return newest
