"""What BigQuery would store and read for a fleet, and what that costs on demand.

A query is billed for the columns that it names, in the partitions between its bounds, and for at
least 10 MiB of each table (cloud.google.com/bigquery/pricing, "on-demand compute pricing").
Clustering by service saves nothing where the whole fleet is asked for, so it gets no credit here.
Neither do the free tebibyte and the free 10 GiB of a month, nor data at rest for 90 days.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache

import polars as pl
import sqlglot
from sqlglot import exp
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import traverse_scope

from fleetslo.warehouse.contracts import Contract, read_contracts
from fleetslo.warehouse.queries import Query, read_query
from fleetslo.warehouse.sizes import Shape, column_bytes, rows_a_day

TIB = 1024**4
GIB = 1024**3
LEAST_BILLED = 10 * 1024**2
"""Bytes that each table of a query is billed for at least."""
PRICE_PER_TIB = 6.25
"""Dollars for a tebibyte read on demand in the US; an input, since regions differ."""
PRICE_PER_GIB_MONTH = 0.02
"""Dollars for a gibibyte of active logical storage and a month in the US."""
WEEKS_A_MONTH = 365.25 / 12 / 7


@dataclass(frozen=True, order=True)
class Ask:
    """A question of a report: ``days`` of data that end ``before`` days before the report does."""

    query: str
    days: int
    before: int = 0


def _of_every_page(days: int, before: int = 0) -> tuple[Ask, ...]:
    return tuple(Ask(name, days, before) for name in ("fleet/services", "fleet/seen"))


# What the scheduled reports ask with objectives of 28 rolling days. Objectives of a calendar, of
# time slices or with excluded minutes ask for more of slo_minutes.
_WEEK_BEFORE = (
    *_of_every_page(28, 7),
    Ask("delivery/deployments", 28, 7),
    Ask("slo/days", 28, 7),
    Ask("slo/window_totals", 3, 7),
)
_PERIOD = (
    *_of_every_page(28),
    Ask("delivery/deployments", 28),
    Ask("oncall/incidents", 28),
    Ask("slo/days", 28),
    Ask("slo/window_totals", 3),
    Ask("fleet/freshness", 28),
)
REPORTS: Mapping[str, tuple[Ask, ...]] = {
    "fleet_overview": (
        *_PERIOD,
        *_WEEK_BEFORE,
        Ask("latency/services", 28),
        Ask("requests/endpoints", 28),
        Ask("requests/endpoints", 28, 7),
        Ask("requests/days", 28),
        Ask("slo/stretches", 28),
    ),
    "squad_review": (
        *_PERIOD,
        *_of_every_page(7),
        Ask("delivery/deployments", 7),
        Ask("slo/days", 7),
        *_of_every_page(28, 28),
        Ask("delivery/deployments", 28, 28),
        Ask("slo/days", 28, 28),
        Ask("slo/window_totals", 3, 28),
        Ask("slo/minutes", 28),
        Ask("calls/hours", 28),
        Ask("errors/hours", 28),
        Ask("requests/endpoints", 28),
        Ask("requests/endpoints", 28, 28),
    ),
    "service_slo": (
        *_PERIOD,
        *_WEEK_BEFORE,
        Ask("slo/minutes", 28),
        Ask("calls/hours", 28),
        Ask("errors/hours", 28),
        Ask("latency/hours", 28),
        Ask("latency/endpoints", 28),
        Ask("requests/endpoints", 28, 7),
    ),
}


def columns_read(query: Query) -> dict[str, frozenset[str]]:
    """Return the columns that a query reads of each stored table."""
    contracts = read_contracts()
    return _columns_read(query.sql, tuple(contracts[name] for name in query.tables))


@cache
def _columns_read(sql: str, tables: tuple[Contract, ...]) -> dict[str, frozenset[str]]:
    schema: dict[str, object] = {
        contract.table: {column.name: str(column.type) for column in contract.columns}
        for contract in tables
    }
    tree = qualify(
        sqlglot.parse_one(sql, read="bigquery"),
        schema=schema,
        dialect="bigquery",
        validate_qualify_columns=False,
    )
    found: dict[str, set[str]] = {contract.table: set() for contract in tables}
    for scope in traverse_scope(tree):
        for alias, source in scope.sources.items():
            if isinstance(source, exp.Table) and source.name in found:
                named = (column.name for column in scope.columns if column.table == alias)
                found[source.name].update(named)
    return {table: frozenset(names) for table, names in found.items()}


def bytes_read(ask: Ask, shape: Shape) -> dict[str, float]:
    """Return the bytes that a question about the whole fleet is billed for, by table."""
    query = read_query(ask.query)
    contracts = read_contracts()
    days = ask.days + query.lookback / timedelta(days=1)
    read = {}
    for table, columns in columns_read(query).items():
        contract = contracts[table]
        widths = column_bytes(contract, shape)
        rows = rows_a_day(contract, shape) * (days if contract.partition else 1)
        read[table] = max(rows * sum(widths[name] for name in columns), float(LEAST_BILLED))
    return read


def same_of_requests(ask: Ask, shape: Shape) -> float:
    """Return the bytes that a question about requests would read from their minutes."""
    query, requests = read_query(ask.query), read_contracts()["requests"]
    widths = column_bytes(requests, shape)
    named = {name for columns in columns_read(query).values() for name in columns}
    width = widths["minute"] + sum(widths[name] for name in named & widths.keys())
    return rows_a_day(requests, shape) * ask.days * width


def stored(shape: Shape, days: float) -> pl.DataFrame:
    """Return one row per table: table, rows, row_bytes and bytes after so many days."""
    rows = []
    for table, contract in read_contracts().items():
        width = sum(column_bytes(contract, shape).values())
        count = rows_a_day(contract, shape) * (days if contract.partition else 1)
        rows.append({"table": table, "rows": count, "row_bytes": width, "bytes": count * width})
    return pl.DataFrame(rows)


def asked_once(asks: Iterable[Ask], shape: Shape) -> pl.DataFrame:
    """Return one row per distinct question: query, days, before and bytes, the costliest first."""
    rows = [
        {
            "query": ask.query,
            "days": ask.days,
            "before": ask.before,
            "bytes": sum(bytes_read(ask, shape).values()),
        }
        for ask in sorted(set(asks))
    ]
    return pl.DataFrame(rows).sort("bytes", descending=True, maintain_order=True)


def batch(shape: Shape) -> pl.DataFrame:
    """Return the questions of the weekly batch, each asked once for the whole fleet."""
    return asked_once((ask for asks in REPORTS.values() for ask in asks), shape)


def asked_by_every_report(shape: Shape, squads: float) -> tuple[float, float]:
    """Return the least and the most bytes of a weekly batch whose every page asks for itself.

    The least is where clustering leaves only a page's own services to be read, but 10 MiB of each
    table; the most is where it leaves nothing out. Questions about the whole fleet are asked with
    the same words by every page: BigQuery's cache answers them but once.
    """
    pages = {"fleet_overview": 1.0, "squad_review": squads, "service_slo": shape.services}
    least = most = 0.0
    shared: set[Ask] = set()
    for report, asks in REPORTS.items():
        count = pages[report]
        for ask in set(asks):
            read = bytes_read(ask, shape)
            if count == 1 or ask.query in ("fleet/services", "fleet/seen"):
                shared.add(ask)
                continue
            most += count * sum(read.values())
            least += count * sum(max(size / count, LEAST_BILLED) for size in read.values())
    whole = sum(sum(bytes_read(ask, shape).values()) for ask in shared)
    return least + whole, most + whole
