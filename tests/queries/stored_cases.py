"""Rows of cases in an embedded warehouse."""

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from fleetslo.warehouse.contracts import contract
from fleetslo.warehouse.duckdb import DuckDBWarehouse


def store(tables: Mapping[str, pl.DataFrame], folder: Path) -> DuckDBWarehouse:
    """Return a warehouse in the folder that holds these rows, and nothing else."""
    warehouse = DuckDBWarehouse(f"duckdb://{folder / 'warehouse'}")
    warehouse.create()
    for table, rows in tables.items():
        put(warehouse, table, rows)
    return warehouse


def put(warehouse: DuckDBWarehouse, table: str, rows: pl.DataFrame) -> None:
    """Replace the days of a table that these rows belong to."""
    of = contract(table)
    if of.partition is None:
        warehouse.layout.write_day(of, None, rows)
        return
    for (day,), part in rows.group_by(pl.col(of.partition).dt.date()):
        warehouse.layout.write_day(of, day, part)
