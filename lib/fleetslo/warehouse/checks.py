"""Stored data against its contracts: what is broken, how often, and where first.

One scan per table counts every broken rule; only a rule that is broken is looked up for its
first row. Uniqueness and gaps go day by day, so that memory does not grow with the fleet's age.
"""

from collections.abc import Mapping
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Any

import duckdb

from fleetslo.errors import DataFileError
from fleetslo.warehouse import findings
from fleetslo.warehouse.base import Finding
from fleetslo.warehouse.contracts import Contract
from fleetslo.warehouse.describe import span
from fleetslo.warehouse.engine import (
    answer,
    connected,
    explained,
    listed,
    literal,
    quoted,
    refuse_damaged,
    stored,
)
from fleetslo.warehouse.gaps import gaps, stored_runs
from fleetslo.warehouse.layout import Layout
from fleetslo.warehouse.rules import Check


def check(
    layout: Layout,
    contracts: Mapping[str, Contract],
    as_of: datetime,
    since: datetime | None = None,
) -> list[Finding]:
    """Return what the tables break of their contracts, failures first; see ``Warehouse.check``."""
    found: list[Finding] = []
    with connected() as connection:
        for contract in contracts.values():
            files = layout.files(contract.table, since)
            if not files:
                continue
            try:
                with refuse_damaged(connection, files), explained(f"check {contract.table}"):
                    found += _Table(connection, layout, contract, files, since).findings(as_of)
            except DataFileError as error:
                says = "a file cannot be read"
                found.append(Finding(contract.table, "readable files", "fail", 1, says, str(error)))
    return findings.failures_first(found)


class _Table:
    """The checks of one table."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        layout: Layout,
        contract: Contract,
        files: list[Path],
        since: datetime | None = None,
    ) -> None:
        self.connection = connection
        self.layout = layout
        self.contract = contract
        self.files = files
        self.dates = layout.days(contract.table, since)
        self.rows = f"({stored(contract, files)})"

    def findings(self, as_of: datetime) -> list[Finding]:
        """Return every finding of the table."""
        return [
            *self._rules(),
            *self._grain(),
            *self._stretches(),
            *self._days(),
            *self._freshness(as_of),
            *self._gaps(),
        ]

    def _rules(self) -> list[Finding]:
        """Count the rows that break each rule, and the nulls where there may be none."""
        rules = self.contract.rules
        counts = ", ".join(f"count(*) FILTER (WHERE NOT ({rule.sql('duckdb')}))" for rule in rules)
        found = answer(self.connection, f"SELECT {counts} FROM {self.rows}")[0]
        return [
            findings.broken(self.contract, rule, count, self._first(rule))
            for rule, count in zip(rules, found, strict=True)
            if count
        ]

    def _first(self, rule: Check) -> dict[str, Any]:
        """Return the grain and the values of the first row that breaks a rule."""
        return self._row(
            f"SELECT {listed(findings.named(self.contract, rule))} FROM {self.rows} "
            f"WHERE NOT ({rule.sql('duckdb')}) ORDER BY {self._order()} LIMIT 1"
        )

    def _order(self) -> str:
        """Return the grain as BigQuery orders by it, so that both find the same first row."""
        return ", ".join(f"{quoted(name)} NULLS FIRST" for name in self.contract.grain)

    def _row(self, select: str) -> dict[str, Any]:
        row: dict[str, Any] = self.connection.sql(select).pl().row(0, named=True)
        return row

    def _grain(self) -> list[Finding]:
        """Find rows of the same grain: day by day where the grain holds the time."""
        contract, grain = self.contract, listed(self.contract.grain)
        days: list[date | None] = [None]
        if contract.partition in contract.grain:
            days = list(self.dates)
        count, example = 0, dict[str, Any]()
        for day in days:
            files = self.files
            if day is not None:
                files = sorted(self.layout.partition(contract.table, day).glob("part-*.parquet"))
            rows = f"({stored(contract, files)})"
            # Hashes find the days that need a closer look in a third of the memory.
            hashes = f"SELECT hash({grain}) AS h FROM {rows}"
            if not self._count(f"SELECT count(*) - count(DISTINCT h) FROM ({hashes})"):
                continue
            twice = f"FROM {rows} GROUP BY {grain} HAVING count(*) > 1"
            extra = self._count(
                f"SELECT coalesce(sum(n - 1), 0) FROM (SELECT count(*) AS n {twice})"
            )
            if extra and not example:
                example = self._row(f"SELECT {grain} {twice} ORDER BY {self._order()} LIMIT 1")
            count += extra
        return [findings.repeated(contract, count, example)] if count else []

    def _count(self, select: str) -> int:
        return int(answer(self.connection, select)[0][0])

    def _stretches(self) -> list[Finding]:
        """Find stretches of ownership that overlap: two squads would own one service."""
        if not findings.owns_stretches(self.contract):
            return []
        by = listed(name for name in self.contract.grain if name != "valid_from")
        overlapping = (
            f"SELECT service, valid_from FROM (SELECT service, valid_from, valid_to, "
            f"lead(valid_from) OVER (PARTITION BY {by} ORDER BY valid_from) AS following "
            f"FROM {self.rows}) WHERE following < coalesce(valid_to, TIMESTAMPTZ 'infinity')"
        )
        count = self._count(f"SELECT count(*) FROM ({overlapping})")
        if not count:
            return []
        first = self._row(f"SELECT * FROM ({overlapping}) ORDER BY service, valid_from LIMIT 1")
        return [findings.overlapping(self.contract, count, first)]

    def _days(self) -> list[Finding]:
        """Find files with rows of another day than their folder's: queries would not see them."""
        time = self.contract.partition
        if time is None:
            return []
        paths = ", ".join(literal(path) for path in self.files)
        ends = answer(
            self.connection,
            "SELECT file_name, CAST(min(CAST(stats_min_value AS TIMESTAMPTZ)) AS DATE), "
            "CAST(max(CAST(stats_max_value AS TIMESTAMPTZ)) AS DATE) "
            f"FROM parquet_metadata([{paths}]) WHERE path_in_schema = {literal(time)} "
            "GROUP BY file_name ORDER BY file_name",
        )
        wrong = [
            f"{file}: {first} to {last}"
            for file, first, last in ends
            if {f"day={first}", f"day={last}"} != {Path(file).parent.name}
        ]
        if not wrong:
            return []
        says = f"{len(wrong):,} files hold rows of another day"
        name = "rows in the folder of their day"
        return [Finding(self.contract.table, name, "fail", len(wrong), says, wrong[0])]

    def _freshness(self, as_of: datetime) -> list[Finding]:
        last = span(self.connection, self.contract, self.files)[1]
        return findings.stale(self.contract, last, as_of)

    def _gaps(self) -> list[Finding]:
        """Find missing minutes of what reports every minute, not only when something happens."""
        contract = self.contract
        if not findings.has_every_minute(contract):
            return []
        runs = stored_runs(self.connection, self.layout, contract, self.dates)
        steps = partial(self.layout.steps, contract.table)
        return findings.missing(contract, gaps(runs, steps))
