"""The peer of the fleet overview: what an engineer would write in DuckDB over the same Parquet."""

from datetime import timedelta
from pathlib import Path

import duckdb
import polars as pl

from fleetslo.periods import Period

SLO_DAYS = """
SELECT service, objective, definition, epoch_us(minute) // 86400000000 AS day, sum(good_count) AS good_count,
  sum(valid_count) AS valid_count, sum(uncertain_count) AS uncertain_count, count(*) AS covered_minutes
FROM read_parquet($files) WHERE minute >= $start AND minute < $end GROUP BY ALL
"""
_SUMS = ", ".join(
    f"sum({count}) FILTER (minute >= $end - INTERVAL {minutes} MINUTE)"
    for minutes in (5, 30, 60, 120, 360, 1440, 4320)
    for count in ("good_count", "valid_count", "uncertain_count")
)
WINDOWS = f"""
SELECT service, objective, {_SUMS}
FROM read_parquet($files) WHERE minute >= $start AND minute < $end GROUP BY ALL
"""
LATENCY = """
WITH buckets AS (
  SELECT service, unnest(latency, recursive := true)
  FROM read_parquet($files) WHERE day >= $start AND day < $end
), summed AS (SELECT service, bucket, sum(count) AS count FROM buckets GROUP BY ALL)
SELECT service, list({bucket: bucket, count: count} ORDER BY bucket) AS latency FROM summed GROUP BY ALL
"""
COUNTS = """
SELECT service, min(hour), max(hour), sum(request_count) FROM read_parquet($files)
WHERE hour >= $start AND hour < $end GROUP BY ALL
"""
FAILED = """
SELECT service, day, sum(request_count), sum(error_count) FROM read_parquet($files, hive_partitioning=false)
WHERE day >= $start AND day < $end GROUP BY ALL
"""
NEWEST = "SELECT max(minute) FROM read_parquet($files) WHERE minute >= $start AND minute < $end"
EVENTS = "SELECT * FROM read_parquet($files) WHERE started_at >= $start AND started_at < $end"
SERVICES = "SELECT * FROM read_parquet($files)"


def by_hand(folder: Path, period: Period) -> dict[str, pl.DataFrame]:
    """Ask DuckDB for what the overview shows, each question once."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")

    def ask(sql: str, table: str, start: Period) -> pl.DataFrame:
        days = {
            f"day={start.start + timedelta(days=n):%Y-%m-%d}" for n in range(int(start.days) + 1)
        }
        files = sorted(
            str(path)
            for path in (folder / table).rglob("*.parquet")
            if path.parent.name in days or path.parent.name == table
        )
        given = {"files": files, "start": start.start, "end": start.end}
        used = {name: value for name, value in given.items() if f"${name}" in sql}
        return connection.sql(sql, params=used).pl()

    recent = period.last(timedelta(days=3))
    return {
        "services": ask(SERVICES, "services", period),
        "seen": ask(COUNTS, "requests_hourly", period),
        "days": ask(SLO_DAYS, "slo_minutes", period),
        "windows": ask(WINDOWS, "slo_minutes", recent),
        "latency": ask(LATENCY, "requests_daily", period),
        "failures": ask(FAILED, "requests_daily", period),
        "newest": ask(NEWEST, "slo_minutes", recent),
        "deployments": ask(EVENTS, "deployments", period),
        "incidents": ask(EVENTS, "incidents", period),
    }
