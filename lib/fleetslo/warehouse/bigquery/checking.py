"""Tables of a dataset against their contracts: what is broken, how often, and where first.

One scan per table counts every broken rule, repeated grains and the newest row; only what is
broken is looked up for its first row. Gaps are read as runs of minutes, few for a sound fleet.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, time
from functools import partial
from typing import TYPE_CHECKING, Any

import polars as pl

from fleetslo.warehouse import findings
from fleetslo.warehouse.base import Finding
from fleetslo.warehouse.bigquery.calling import patience
from fleetslo.warehouse.bigquery.faults import explained
from fleetslo.warehouse.bigquery.merging import listed, quoted
from fleetslo.warehouse.bigquery.misfits import misfits
from fleetslo.warehouse.bigquery.steps import steps
from fleetslo.warehouse.contracts import Contract, contract, read_contracts
from fleetslo.warehouse.gaps import gaps
from fleetslo.warehouse.rules import Check

if TYPE_CHECKING:
    from fleetslo.warehouse.bigquery.warehouse import BigQueryWarehouse

_ALL = datetime(1, 1, 1, tzinfo=UTC)
_LAST = "TIMESTAMP '9999-12-31 23:59:59.999999+00'"


def check(
    warehouse: "BigQueryWarehouse",
    as_of: datetime,
    tables: Sequence[str] | None = None,
    since: datetime | None = None,
) -> list[Finding]:
    """Return what the tables break; see ``Warehouse.check``."""
    wanted = read_contracts() if tables is None else {name: contract(name) for name in tables}
    with explained(warehouse.url, "check"):
        listing = warehouse.client.list_tables(warehouse.dataset_id, **patience(warehouse))
        there = {item.table_id for item in listing}
    found: list[Finding] = []
    for one in wanted.values():
        if one.table not in there:
            says = "there is no such table; 'fleetslo warehouse create' makes it"
            name = f"{warehouse.dataset_id}.{one.table}"
            found.append(Finding(one.table, "the table exists", "fail", 1, says, name))
            continue
        found += _Table(warehouse, one, since or _ALL).findings(as_of)
    late = [one for one in findings.late_rollups(warehouse.pending()) if one.table in wanted]
    return [*findings.failures_first(found), *late]


class _Table:
    """The checks of one table, from an instant on."""

    def __init__(self, warehouse: "BigQueryWarehouse", contract: Contract, since: datetime) -> None:
        self.warehouse, self.contract = warehouse, contract
        self.since = datetime.combine(since.astimezone(UTC).date(), time(), UTC)
        self.rows = f"FROM {contract.table}"
        if contract.partition:
            self.rows += f" WHERE {quoted(contract.partition)} >= @since"

    def _answer(self, sql: str) -> pl.DataFrame:
        from google.cloud import bigquery

        since = bigquery.ScalarQueryParameter("since", "TIMESTAMP", self.since)
        parameters = [since] if self.contract.partition else []
        return self.warehouse.asker.answer(sql, parameters, f"check {self.contract.table}")

    def _row(self, sql: str) -> dict[str, Any]:
        return self._answer(sql).row(0, named=True)

    def findings(self, as_of: datetime) -> list[Finding]:
        """Return every finding of the table."""
        warehouse, name = self.warehouse, self.contract.table
        other = misfits(warehouse.client, warehouse.dataset_id, f"SELECT 1 FROM {name}")
        if other:
            says = "columns are missing or of another type; see 'fleetslo warehouse create'"
            called = "columns of the contract"
            return [Finding(name, called, "fail", len(other), says, "; ".join(other))]
        grain = listed(self.contract.grain)
        newest = f"MAX({quoted(self.contract.partition)})" if self.contract.partition else "NULL"
        rules = _rules(self.contract)
        counts = ", ".join(
            f"COUNTIF(NOT ({rule.sql('bigquery')})) AS rule_{place}"
            for place, rule in enumerate(rules)
        )
        counted = self._row(
            f"SELECT {counts}, COUNT(*) AS row_count, "
            f"(SELECT COUNT(*) FROM (SELECT 1 {self.rows} GROUP BY {grain})) AS grains, "
            f"CAST({newest} AS TIMESTAMP) AS newest {self.rows}"
        )
        if not counted["row_count"]:
            return []
        return [
            *(
                findings.broken(self.contract, rule, count, self._first(rule))
                for place, rule in enumerate(rules)
                if (count := counted[f"rule_{place}"])
            ),
            *self._repeated(counted["row_count"] - counted["grains"]),
            *self._stretches(),
            *findings.stale(self.contract, counted["newest"], as_of),
            *self._gaps(),
        ]

    def _first(self, rule: Check) -> dict[str, Any]:
        """Return the grain and the values of the first row that breaks a rule."""
        bound = "AND" if self.contract.partition else "WHERE"
        return self._row(
            f"SELECT {listed(findings.named(self.contract, rule))} {self.rows} {bound} "
            f"NOT ({rule.sql('bigquery')}) ORDER BY {listed(self.contract.grain)} LIMIT 1"
        )

    def _repeated(self, count: int) -> list[Finding]:
        """Say how many rows have the grain of another, and which comes first."""
        if not count:
            return []
        grain = listed(self.contract.grain)
        first = self._row(
            f"SELECT {grain} {self.rows} GROUP BY {grain} HAVING COUNT(*) > 1 "
            f"ORDER BY {grain} LIMIT 1"
        )
        return [findings.repeated(self.contract, count, first)]

    def _stretches(self) -> list[Finding]:
        """Find stretches of ownership that overlap: two squads would own one service."""
        if not findings.owns_stretches(self.contract):
            return []
        by = listed(name for name in self.contract.grain if name != "valid_from")
        found = self._answer(
            "SELECT service, valid_from, COUNT(*) OVER () AS overlaps FROM ("
            "SELECT service, valid_from, valid_to, "
            f"LEAD(valid_from) OVER (PARTITION BY {by} ORDER BY valid_from) AS next_from "
            f"{self.rows}) WHERE next_from < COALESCE(valid_to, {_LAST}) "
            "ORDER BY service, valid_from LIMIT 1"
        ).to_dicts()
        return [
            findings.overlapping(
                self.contract,
                row["overlaps"],
                {name: row[name] for name in ("service", "valid_from")},
            )
            for row in found
        ]

    def _gaps(self) -> list[Finding]:
        """Find missing minutes of what reports every minute, not only when something happens."""
        if not findings.has_every_minute(self.contract):
            return []
        runs = self._answer(
            "SELECT day, service, MIN(minute) AS first_minute, MAX(minute) + 1 AS after_minute "
            "FROM (SELECT day, service, minute, minute - ROW_NUMBER() OVER "
            "(PARTITION BY service, day ORDER BY minute) AS run FROM ("
            "SELECT DISTINCT service, DATE(minute) AS day, DIV(UNIX_SECONDS(minute), 60) AS minute "
            f"{self.rows})) GROUP BY day, service, run"
        )
        found = gaps(runs, partial(steps, self.warehouse, self.contract.table))
        return findings.missing(self.contract, found)


def _rules(contract: Contract) -> list[Check]:
    """Return the rules of a table, but that an array is not null: BigQuery stores null as empty."""
    arrays = {f"{column.name} IS NOT NULL" for column in contract.columns if column.type.element}
    return [rule for rule in contract.rules if rule.expression not in arrays]
