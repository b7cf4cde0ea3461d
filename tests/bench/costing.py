"""Bytes of the demo fleet's last whole week, counted row by row, beside those calculated."""

from pathlib import Path

import polars as pl

from fleetslo.warehouse.contracts import read_contracts
from fleetslo.warehouse.sizes import column_bytes, rows_a_day
from tests.unit.warehouse.test_bigquery_costs import (
    SUMS,
    _last_week,
    _logical_bytes,
    _series,
    _table,
)


def weeks(home: Path) -> list[tuple[str, float, float]]:
    """Each table with the bytes of a day that were counted, and those that were calculated."""
    shapes = _series(home)
    found = []
    for name in (*SUMS, "errors"):
        contract = read_contracts()[name]
        rows = _last_week(_logical_bytes(contract, _table(home, name)), "at")
        counted = float(rows.select(pl.col("bytes").sum() / 7).collect().item())
        calculated = sum(
            rows_a_day(contract, shape) * sum(column_bytes(contract, shape).values())
            for shape in shapes
        )
        found.append((name, counted, calculated))
    return found
