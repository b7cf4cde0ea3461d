"""Rows that wait in a table of their own, laid over those of a dataset in one MERGE.

A row of the same grain is replaced, all others are kept, and a MERGE is done as a whole or not at
all. Doing it twice comes to the same, so that a load that was killed is simply done again; the
table that it left behind goes away by itself within a day.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from fleetslo.warehouse.base import Progress
from fleetslo.warehouse.bigquery.calling import patience
from fleetslo.warehouse.contracts import Contract
from fleetslo.warehouse.types import Type

if TYPE_CHECKING:
    from fleetslo.warehouse.bigquery.warehouse import BigQueryWarehouse

_LIVES = "TIMESTAMP_ADD(CURRENT_TIMESTAMP(), INTERVAL 1 DAY)"
_FIRST = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Rows:
    """How many rows wait, and over which days; ``first`` and ``last`` are None without days."""

    count: int
    days: int
    first: date | None = None
    last: date | None = None


@contextmanager
def staging(
    warehouse: "BigQueryWarehouse", contract: Contract, more: dict[str, Type] | None = None
) -> Iterator[str]:
    """Hold an empty table for rows of a contract, each column of which may be null.

    Args:
        warehouse: the dataset that the table lies in.
        contract: what the rows are to become.
        more: further columns by name.
    """
    from google.api_core.exceptions import GoogleAPICallError, RetryError
    from requests.exceptions import RequestException

    name = f"fleetslo_staging_{uuid4().hex}"
    kinds = {column.name: column.type for column in contract.columns} | (more or {})
    columns = ", ".join(f"{quoted(column)} {kind}" for column, kind in kinds.items())
    options = f"OPTIONS (expiration_timestamp = {_LIVES})"
    warehouse.asker.do(f"CREATE TABLE {name} ({columns}) {options}", [], f"load {contract.table}")
    try:
        yield name
    finally:
        with suppress(GoogleAPICallError, RetryError, RequestException):  # it expires by itself
            warehouse.client.delete_table(
                f"{warehouse.dataset_id}.{name}", not_found_ok=True, **patience(warehouse)
            )


def merge(
    warehouse: "BigQueryWarehouse", contract: Contract, staging: str, rows: Rows, show: Progress
) -> int:
    """Lay the rows of a staging table over those of its contract's; return how many it replaced.

    No two of them may have the same grain.

    Raises:
        WarehouseError: BigQuery refused or failed, and no row was changed.
    """
    if not rows.count:
        return 0
    name, parameters = f"load {contract.table}", _bounds(contract, rows)
    show(f"merging {contract.table}", 0, 1)
    found = warehouse.asker.answer(
        f"SELECT COUNT(*) AS row_count FROM {staging} AS s INNER JOIN {contract.table} AS t "
        f"ON {_same_row(contract)}",
        parameters,
        name,
    )
    warehouse.asker.do(_merge(contract, staging), parameters, name)
    show(f"merging {contract.table}", 1, 1)
    return int(found["row_count"][0])


def _bounds(contract: Contract, rows: Rows) -> list[Any]:
    """Return the stretch of time in which stored rows of the same grain can lie.

    Where the grain holds the time that is the days of the rows; an incident whose start was
    corrected can lie anywhere.
    """
    from google.cloud import bigquery

    if contract.partition is None:
        return []
    bounds = {"first": _FIRST}
    if contract.partition in contract.grain and rows.first and rows.last:
        midnights = (rows.first, rows.last + timedelta(days=1))
        bounds = dict(
            zip(
                ("first", "after"),
                (datetime.combine(day, time(), UTC) for day in midnights),
                strict=True,
            )
        )
    return [
        bigquery.ScalarQueryParameter(name, "TIMESTAMP", value) for name, value in bounds.items()
    ]


def _same_row(contract: Contract) -> str:
    """Return the condition that a stored row ``t`` has the grain of a waiting one ``s``.

    The stored one's day is bounded, as the table demands; null equals null.
    """
    terms = []
    if contract.partition is not None:
        time_column = f"t.{quoted(contract.partition)}"
        terms.append(f"{time_column} >= @first")
        if contract.partition in contract.grain:
            terms.append(f"{time_column} < @after")
    for name in contract.grain:
        equal = "IS NOT DISTINCT FROM" if contract.by_name[name].nullable else "="
        terms.append(f"t.{quoted(name)} {equal} s.{quoted(name)}")
    return " AND ".join(terms)


def _merge(contract: Contract, staging: str) -> str:
    names = listed(contract.by_name)
    values = ", ".join(f"s.{quoted(name)}" for name in contract.by_name)
    rest = [name for name in contract.by_name if name not in contract.grain]
    changes = ", ".join(f"{quoted(name)} = s.{quoted(name)}" for name in rest)
    return (
        f"MERGE {contract.table} AS t USING {staging} AS s ON {_same_row(contract)} "
        f"WHEN MATCHED THEN UPDATE SET {changes} "
        f"WHEN NOT MATCHED THEN INSERT ({names}) VALUES ({values})"
    )


def quoted(name: str) -> str:
    """Return a name as GoogleSQL quotes it."""
    return f"`{name}`"


def listed(names: Iterable[str]) -> str:
    """Return names quoted and separated by commas."""
    return ", ".join(quoted(name) for name in names)
