"""What the tables of a dataset hold, without reading them where BigQuery knows it already."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from fleetslo.warehouse import describe as embedded
from fleetslo.warehouse.bigquery.calling import patience
from fleetslo.warehouse.bigquery.faults import explained
from fleetslo.warehouse.bigquery.merging import quoted
from fleetslo.warehouse.bigquery.steps import steps
from fleetslo.warehouse.contracts import Contract, read_contracts

if TYPE_CHECKING:
    from fleetslo.warehouse.bigquery.warehouse import BigQueryWarehouse

_PARTITIONS = """\
SELECT
  table_name,
  SUM(total_rows) AS row_count,
  COUNTIF(REGEXP_CONTAINS(partition_id, r'^\\d{8}$')) AS days,
  MIN(IF(REGEXP_CONTAINS(partition_id, r'^\\d{8}$'), partition_id, NULL)) AS first_id,
  MAX(IF(REGEXP_CONTAINS(partition_id, r'^\\d{8}$'), partition_id, NULL)) AS last_id,
  SUM(total_logical_bytes) AS bytes
FROM INFORMATION_SCHEMA.PARTITIONS
WHERE total_rows > 0
GROUP BY table_name"""

_STORED = {"TABLE", "SNAPSHOT"}


def describe(warehouse: "BigQueryWarehouse") -> pl.DataFrame:
    """Return one row per table: table, says, rows, days, first, last, bytes.

    ``first`` and ``last`` are midnights of the oldest and the newest day. A server that has no
    list of partitions is asked for the rows themselves; it does not say how many bytes they take.
    """
    if warehouse.settings.bigquery_endpoint is None:
        found = {
            row["table_name"]: {
                "rows": row["row_count"],
                "days": row["days"],
                "first": _day(row["first_id"]),
                "last": _day(row["last_id"]),
                "bytes": row["bytes"],
            }
            for row in warehouse.asker.answer(_PARTITIONS, [], "describe").to_dicts()
        }
    else:
        found = _counted(warehouse)
    rows = []
    for name, contract in read_contracts().items():
        row = found.get(name, {})
        rows.append(
            {
                "table": name,
                "says": contract.says,
                "rows": row.get("rows") or 0,
                "days": (row.get("days") or 0) if contract.partition else None,
                "first": row.get("first"),
                "last": row.get("last"),
                "bytes": row.get("bytes") or 0,
            }
        )
    return pl.DataFrame(rows, schema=embedded.SCHEMA)


def complete_until(warehouse: "BigQueryWarehouse") -> datetime | None:
    """Return the end of the newest minute, or step of a coarser source, that is covered, or None.

    Only the time column of each newest day is read.
    """
    days = dict(describe(warehouse).select("table", "last").iter_rows())
    contracts = read_contracts()
    known = [contracts[name] for name in embedded.COVERING if days.get(name) is not None]
    if not known:
        return None
    lasts = _newest(warehouse, known, days)
    warehouse.reached = {table: last for table, last in lasts.items() if last is not None}

    def coarser(table: str, last: datetime) -> dict[str, timedelta]:
        return steps(warehouse, table, last, last + timedelta(microseconds=1))

    return embedded.reached(contracts, lasts, coarser)


def fingerprint(warehouse: "BigQueryWarehouse") -> str:
    """Return a text that changes whenever rows of a table do; empty where that cannot be told.

    BigQuery says of a table, for nothing, when it was changed last and how much it holds. It does
    not say so of rows that are still being streamed in, nor of what a view shows, nor to somebody
    who may not see its tables; a server that stands in for it does not say so at all.
    """
    from google.api_core.exceptions import Forbidden, NotFound

    if warehouse.settings.bigquery_endpoint is not None:
        return ""
    told = hashlib.sha256()
    for name in sorted(read_contracts()):
        with explained(warehouse.url, "fingerprint"):
            try:
                table = warehouse.client.get_table(
                    f"{warehouse.dataset_id}.{name}", **patience(warehouse)
                )
            except NotFound:
                continue
            except Forbidden:
                return ""
        if table.table_type not in _STORED or table.streaming_buffer is not None:
            return ""
        told.update(f"{name} {table.modified} {table.num_rows} {table.num_bytes}\n".encode())
    return told.hexdigest()


def _newest(
    warehouse: "BigQueryWarehouse", known: list[Contract], days: dict[str, datetime]
) -> dict[str, datetime | None]:
    """Return the newest time of each of some tables, looked for in its newest day."""
    from google.cloud import bigquery

    parameters = [
        bigquery.ScalarQueryParameter(f"from_{one.table}", "TIMESTAMP", days[one.table])
        for one in known
    ]
    sql = "\nUNION ALL\n".join(
        f"SELECT '{one.table}' AS table_name, MAX({one.partition}) AS newest "
        f"FROM {one.table} WHERE {one.partition} >= @from_{one.table}"
        for one in known
    )
    found = warehouse.asker.answer(sql, parameters, "complete_until")
    return dict(found.select("table_name", "newest").iter_rows())


def _counted(warehouse: "BigQueryWarehouse") -> dict[str, dict[str, Any]]:
    """Return rows, days, first and last of each table that is there and holds any."""
    with explained(warehouse.url, "describe"):
        listing = warehouse.client.list_tables(warehouse.dataset_id, **patience(warehouse))
        there = {item.table_id for item in listing}
    known = [one for one in read_contracts().values() if one.table in there]
    if not known:
        return {}
    found = warehouse.asker.answer("\nUNION ALL\n".join(map(_count, known)), [], "describe")
    return {row.pop("table_name"): row for row in found.to_dicts() if row["rows"]}


def _count(contract: Contract) -> str:
    nothing = "CAST(NULL AS TIMESTAMP)"
    days, first, last, where = "0", nothing, nothing, ""
    if contract.partition:
        time = quoted(contract.partition)
        days, first, last = f"COUNT(DISTINCT DATE({time}))", f"MIN({time})", f"MAX({time})"
        where = f" WHERE {time} >= TIMESTAMP '0001-01-01 00:00:00+00'"
    return (
        f"SELECT '{contract.table}' AS table_name, COUNT(*) AS `rows`, {days} AS days, "
        f"{first} AS `first`, {last} AS `last` FROM {contract.table}{where}"
    )


def _day(partition: str | None) -> datetime | None:
    """Return the midnight of a partition's day."""
    return None if partition is None else datetime.strptime(partition, "%Y%m%d").replace(tzinfo=UTC)
