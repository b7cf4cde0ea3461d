"""A fresh warehouse for each test: an embedded one, or a dataset on the loopback server."""

from pathlib import Path
from uuid import uuid4

import pytest
from tests.loopback import Server

from fleetslo.warehouse.bigquery.warehouse import BigQueryWarehouse
from fleetslo.warehouse.duckdb import DuckDBWarehouse


@pytest.fixture
def warehouse(tmp_path: Path) -> DuckDBWarehouse:
    made = DuckDBWarehouse(f"duckdb://{tmp_path / 'warehouse'}")
    made.create()
    return made


@pytest.fixture
def place(loopback: Server, monkeypatch: pytest.MonkeyPatch) -> BigQueryWarehouse:
    """A dataset that does not exist yet."""
    monkeypatch.setenv("FLEETSLO_BIGQUERY_ENDPOINT", loopback.url)
    monkeypatch.setenv("FLEETSLO_BIGQUERY_LOCATION", "EU")
    return BigQueryWarehouse(f"bigquery://p/d{uuid4().hex}")


@pytest.fixture
def made(place: BigQueryWarehouse) -> BigQueryWarehouse:
    """A dataset with every table, all empty."""
    assert place.create() == []
    return place
