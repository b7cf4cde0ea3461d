"""Stored data against its contracts: what is broken, how often, and where first.

One scan per table counts every broken rule; only a rule that is broken is looked up for its
first row. Uniqueness and gaps go day by day, so that memory does not grow with the fleet's age.
"""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb

from fleetslo.errors import DataFileError
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
from fleetslo.warehouse.gaps import gaps
from fleetslo.warehouse.layout import Layout
from fleetslo.warehouse.rules import Check


def check(layout: Layout, contracts: Mapping[str, Contract], as_of: datetime) -> list[Finding]:
    """Return what the tables break of their contracts, failures first; see ``Warehouse.check``."""
    findings: list[Finding] = []
    with connected() as connection:
        for contract in contracts.values():
            files = layout.files(contract.table)
            if not files:
                continue
            try:
                with refuse_damaged(connection, files), explained(f"check {contract.table}"):
                    findings += _Table(connection, layout, contract, files).findings(as_of)
            except DataFileError as error:
                says = "a file cannot be read"
                findings.append(
                    Finding(contract.table, "readable files", "fail", 1, says, str(error))
                )
    return sorted(findings, key=lambda finding: finding.severity != "fail")


class _Table:
    """The checks of one table."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        layout: Layout,
        contract: Contract,
        files: list[Path],
    ) -> None:
        self.connection = connection
        self.layout = layout
        self.contract = contract
        self.files = files
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

    def _finding(self, rule: Check, count: int, says: str, example: str) -> Finding:
        return Finding(self.contract.table, rule.name, rule.severity, count, says, example)

    def _rules(self) -> list[Finding]:
        """Count the rows that break each rule, and the nulls where there may be none."""
        nulls = [
            Check(f"{column.name} is not null", f"{column.name} IS NOT NULL", column=column.name)
            for column in self.contract.columns
            if not column.nullable
        ]
        rules = [*nulls, *self.contract.every_check]
        counts = ", ".join(f"count(*) FILTER (WHERE NOT ({rule.sql('duckdb')}))" for rule in rules)
        found = answer(self.connection, f"SELECT {counts} FROM {self.rows}")[0]
        return [
            self._finding(
                rule, count, f"{count:,} rows break: {rule.expression}", self._first(rule)
            )
            for rule, count in zip(rules, found, strict=True)
            if count
        ]

    def _first(self, rule: Check) -> str:
        """Return the grain and the values of the first row that breaks a rule."""
        named = [n for n in self.contract.by_name if re.search(rf"\b{n}\b", rule.expression)]
        shown = ", ".join(
            f"concat('{name}=', coalesce(left(CAST({quoted(name)} AS VARCHAR), 60), 'null'))"
            for name in dict.fromkeys((*self.contract.grain, *named))
        )
        return self._text(
            f"SELECT concat_ws(' ', {shown}) FROM {self.rows} "
            f"WHERE NOT ({rule.sql('duckdb')}) ORDER BY 1 LIMIT 1"
        )

    def _text(self, select: str) -> str:
        return str(answer(self.connection, select)[0][0])

    def _grain(self) -> list[Finding]:
        """Find rows of the same grain: day by day where the grain holds the time."""
        contract, grain = self.contract, listed(self.contract.grain)
        days: list[date | None] = [None]
        if contract.partition in contract.grain:
            days = list(self.layout.days(contract.table))
        count, example = 0, ""
        for day in days:
            files = self.files
            if day is not None:
                files = sorted(self.layout.partition(contract.table, day).glob("part-*.parquet"))
            rows = f"({stored(contract, files)})"
            # Hashes find the days that need a closer look in a third of the memory.
            hashes = f"SELECT hash({grain}) AS h FROM {rows}"
            if not self._count(f"SELECT count(*) - count(DISTINCT h) FROM ({hashes})"):
                continue
            shown = ", ".join(
                f"concat('{name}=', coalesce(CAST({quoted(name)} AS VARCHAR), 'null'))"
                for name in contract.grain
            )
            twice = f"FROM {rows} GROUP BY {grain} HAVING count(*) > 1"
            extra = self._count(
                f"SELECT coalesce(sum(n - 1), 0) FROM (SELECT count(*) AS n {twice})"
            )
            if extra and not example:
                example = self._text(f"SELECT concat_ws(' ', {shown}) {twice} ORDER BY 1 LIMIT 1")
            count += extra
        rule = Check("unique grain", "")
        says = f"{count:,} rows repeat the grain {', '.join(contract.grain)}"
        return [self._finding(rule, count, says, example)] if count else []

    def _count(self, select: str) -> int:
        return int(answer(self.connection, select)[0][0])

    def _stretches(self) -> list[Finding]:
        """Find stretches of ownership that overlap: two squads would own one service."""
        if not {"valid_from", "valid_to"} <= self.contract.by_name.keys():
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
        example = self._text(
            f"SELECT concat('service=', service, ' valid_from=', valid_from) "
            f"FROM ({overlapping}) ORDER BY 1 LIMIT 1"
        )
        rule = Check("stretches do not overlap", "")
        return [self._finding(rule, count, f"{count:,} stretches overlap the next one", example)]

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
        rule = Check("rows in the folder of their day", "")
        says = f"{len(wrong):,} files hold rows of another day"
        return [self._finding(rule, len(wrong), says, wrong[0])]

    def _freshness(self, as_of: datetime) -> list[Finding]:
        late_after, step = self.contract.late_after, self.contract.step
        last = span(self.connection, self.contract, self.files)[1]
        if late_after is None or step is None or last is None:
            return []
        late = as_of.astimezone(UTC) - (last + step)
        if late <= late_after:
            return []
        old_h, most_h = (length.total_seconds() / 3600 for length in (late, late_after))
        rule = Check("fresh", "", "warn")
        says = f"the newest row is {old_h:,.1f} h old; it may be {most_h:g} h"
        return [self._finding(rule, 1, says, f"{self.contract.partition}={last:%Y-%m-%dT%H:%MZ}")]

    def _gaps(self) -> list[Finding]:
        """Find missing minutes of what reports every minute, not only when something happens."""
        contract = self.contract
        if contract.partition != "minute" or contract.derived or contract.late_after is None:
            return []
        found = gaps(self.connection, self.layout, contract)
        return [
            self._finding(Check(gap.name, "", "warn"), gap.missing, gap.says, gap.example)
            for gap in found
        ]
