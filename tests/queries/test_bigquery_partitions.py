"""Rollups that learn from INFORMATION_SCHEMA.PARTITIONS what changed, as Google's service tells it.

The server on loopback has no such view: what is asked of it is answered by a stand-in with the
columns that are read, whose last change is made up from the rows.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import polars as pl
import pytest
from google.cloud import bigquery
from tests.loopback import Server

from fleetslo.warehouse.bigquery.warehouse import BigQueryWarehouse
from fleetslo.warehouse.contracts import contract, read_contracts
from fleetslo.warehouse.measures import Measure
from fleetslo.warehouse.sums import SUMS

FIRST = datetime(2026, 10, 1, tzinfo=UTC)
FAULTS = Measure("faults", "d-faults", ("cart",), requests="all")
TABLES = sorted(
    {name for one in SUMS for name in (one.source, one.target)} | {"slo_minutes", "sli_events"}
)
VIEW = "INFORMATION_SCHEMA.PARTITIONS"


def stand_in() -> str:
    """A sub-select in place of the view, with rows that are none of ours."""
    parts = []
    for name in TABLES:
        time = read_contracts()[name].partition
        mark = "CONCAT('0x', SUBSTR(TO_HEX(MD5(TO_JSON_STRING(one))), 1, 8))"
        parts.append(
            f"SELECT '{name}' AS table_name, FORMAT_TIMESTAMP('%Y%m%d', {time}) AS partition_id, "
            f"COUNT(*) AS total_rows, TIMESTAMP_MICROS(SUM(CAST({mark} AS INT64))) AS "
            f"last_modified_time FROM {name} AS one WHERE {time} >= TIMESTAMP '2000-01-01' "
            "GROUP BY partition_id"
        )
    parts += [
        f"SELECT 'requests' AS table_name, {odd} AS partition_id, 5 AS total_rows, "
        "TIMESTAMP '2026-10-01' AS last_modified_time"
        for odd in ("'__UNPARTITIONED__'", "'__NULL__'", "CAST(NULL AS STRING)")
    ]
    return f"({' UNION ALL '.join(parts)}) AS partitions"


class Client:
    """A client of the server, which answers for the view."""

    def __init__(self, client: bigquery.Client) -> None:
        self.client = client
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)

    def query(self, sql: str, job_config: bigquery.QueryJobConfig, **how: Any) -> Any:
        if not job_config.dry_run:
            self.asked.append(sql)
        return self.client.query(sql.replace(VIEW, stand_in()), job_config=job_config, **how)


def requests(folder: Path, days: int, count: int) -> Path:
    rows = [
        {
            "minute": FIRST + timedelta(days=day), "service": "cart", "endpoint": "", "region": "",
            "version": "1", "request_count": count, "error_count": 0, "duration_sum_s": None,
            "latency": [], "quality": "exact", "observed_count": count,
        }
        for day in range(days)
    ]  # fmt: skip
    file = folder / f"{uuid4().hex}.parquet"
    pl.DataFrame(rows, schema=contract("requests").schema).write_parquet(file)
    return file


@pytest.mark.long
def test_days_that_google_says_were_changed_are_rolled_up(loopback: Server, tmp_path: Path) -> None:
    client = Client(loopback.client)
    place = BigQueryWarehouse(f"bigquery://p/v{uuid4().hex}", client)  # type: ignore[arg-type]
    assert place.settings.bigquery_endpoint is None
    place.create()
    assert place.pending() == {}  # never rolled up here
    place.load("requests", [requests(tmp_path, 3, 10)])
    tables = ("requests_hourly", "requests_daily", "slo_minutes")
    report = place.rollup([FAULTS])
    assert report.days == dict.fromkeys(tables, 3)
    assert report.rows == dict.fromkeys(tables, 3)  # an hour, a day and a minute of each
    assert place.pending() == {}
    assert place.rollup([FAULTS]).days == {}
    place.load("requests", [requests(tmp_path, 1, 4)])
    # requests_daily waits for hours that have not changed yet
    assert place.pending() == {"requests_hourly": 1, "slo_minutes": 1}
    assert place.rollup([FAULTS]).days == dict.fromkeys(tables, 1)
    assert place.pending() == {}
    assert any(VIEW in sql for sql in client.asked)
    assert not any("MD5" in sql for sql in client.asked)
