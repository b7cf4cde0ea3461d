"""A fresh embedded warehouse for each test."""

from pathlib import Path

import pytest

from fleetslo.warehouse.duckdb import DuckDBWarehouse


@pytest.fixture
def warehouse(tmp_path: Path) -> DuckDBWarehouse:
    made = DuckDBWarehouse(f"duckdb://{tmp_path / 'warehouse'}")
    made.create()
    return made
