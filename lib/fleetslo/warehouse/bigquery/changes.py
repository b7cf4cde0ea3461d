"""What the days of a dataset's tables look like, so that a change is seen without reading them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from fleetslo.warehouse.contracts import contract

if TYPE_CHECKING:
    from fleetslo.warehouse.bigquery.warehouse import BigQueryWarehouse

EVER = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC))
"""Bounds that hold every day: a partition must be asked for, even when all of them are."""

_MODIFIED = """\
SELECT
  table_name,
  partition_id,
  total_rows AS row_count,
  CAST(UNIX_MICROS(last_modified_time) AS STRING) AS mark
FROM INFORMATION_SCHEMA.PARTITIONS
WHERE
  table_name IN UNNEST(@tables)
  AND REGEXP_CONTAINS(partition_id, '^[0-9]{8}$')
  AND total_rows > 0"""
_DIGEST = """\
WITH digested AS (
  SELECT
    FORMAT_TIMESTAMP('%Y%m%d', {time}) AS partition_id,
    TO_HEX(MD5(TO_JSON_STRING(one))) AS digest
  FROM {table} AS one
  WHERE
    {time} >= @start
    AND {time} < @end
)

SELECT
  partition_id,
  COUNT(*) AS row_count,
  FORMAT(
    '%d-%d',
    SUM(CAST(CONCAT('0x', SUBSTR(digest, 1, 8)) AS INT64)),
    SUM(CAST(CONCAT('0x', SUBSTR(digest, 9, 8)) AS INT64))
  ) AS mark
FROM digested
GROUP BY partition_id"""
"""Sums of parts of each row's digest: they do not depend on the order of rows."""


@dataclass(frozen=True)
class Print:
    """A day of a table: how many rows it has, and a mark that changes when they do."""

    row_count: int
    mark: str

    def __str__(self) -> str:
        """Return both as one text, to be kept."""
        return f"{self.row_count}-{self.mark}"


def prints(warehouse: "BigQueryWarehouse", tables: Sequence[str]) -> dict[str, dict[date, Print]]:
    """Return each table's days with rows, by table.

    BigQuery itself says when a partition was changed last, for the price of its smallest query. A
    server that stands in for it need not know: there the rows are read and digested.
    """
    if warehouse.settings.bigquery_endpoint is None:
        return _modified(warehouse, tables)
    return {table: _digested(warehouse, table) for table in tables}


def _modified(
    warehouse: "BigQueryWarehouse", tables: Sequence[str]
) -> dict[str, dict[date, Print]]:
    from google.cloud import bigquery

    asked = [bigquery.ArrayQueryParameter("tables", "STRING", sorted(tables))]
    found: dict[str, dict[date, Print]] = {table: {} for table in tables}
    for row in warehouse.asker.answer(_MODIFIED, asked, "changes").iter_rows(named=True):
        found[row["table_name"]][_day(row["partition_id"])] = Print(row["row_count"], row["mark"])
    return found


def _digested(warehouse: "BigQueryWarehouse", table: str) -> dict[date, Print]:
    from google.cloud import bigquery

    sql = _DIGEST.format(table=table, time=contract(table).partition)
    start, end = EVER
    asked = [
        bigquery.ScalarQueryParameter("start", "TIMESTAMP", start),
        bigquery.ScalarQueryParameter("end", "TIMESTAMP", end),
    ]
    rows = warehouse.asker.answer(sql, asked, "changes").iter_rows(named=True)
    return {_day(row["partition_id"]): Print(row["row_count"], row["mark"]) for row in rows}


def _day(partition_id: str) -> date:
    return datetime.strptime(partition_id, "%Y%m%d").replace(tzinfo=UTC).date()
