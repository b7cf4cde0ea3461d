"""New rows laid over stored ones: rows of the same grain are replaced, all others are kept."""

from datetime import date, timedelta

import duckdb

from fleetslo.warehouse.base import Progress
from fleetslo.warehouse.contracts import Contract
from fleetslo.warehouse.engine import (
    answer,
    explained,
    listed,
    literal,
    quoted,
    same_grain,
    stored,
    write_parquet,
)
from fleetslo.warehouse.journal import Staging
from fleetslo.warehouse.layout import Layout


class Merge:
    """The rows of ``staged`` laid over those that are stored, day by day, into a staging folder."""

    def __init__(
        self,
        layout: Layout,
        staging: Staging,
        connection: duckdb.DuckDBPyConnection,
        contract: Contract,
    ) -> None:
        self.layout = layout
        self.staging = staging
        self.connection = connection
        self.contract = contract
        self.replaced = 0
        self.sizes: dict[date | None, int] = {}

    def _count(self, select: str) -> int:
        return int(answer(self.connection, select)[0][0])

    def _day_of(self, row: str) -> str:
        return f"CAST({row}.{quoted(self.contract.partition or '')} AS DATE)"

    def run(self, show: Progress) -> None:
        """Write every partition that changes."""
        contract = self.contract
        if contract.partition is None:
            self.sizes = {None: self._count("SELECT count(*) FROM staged")}
        else:
            select = f"SELECT {self._day_of('s')} AS day, count(*) FROM staged AS s GROUP BY day"
            self.sizes = dict(sorted(answer(self.connection, select)))
        days = [*self.sizes, *self._days_left()]
        for done, day in enumerate(days):
            show(f"writing {contract.table}", done, len(days))
            self._write(day)
        show(f"writing {contract.table}", len(days), len(days))

    def _days_left(self) -> list[date]:
        """Return the other days that hold a row of a grain that is loaded again.

        Where the grain holds the time, a row cannot move to another day; an incident whose start
        is corrected can.
        """
        contract = self.contract
        if contract.partition is None or contract.partition in contract.grain:
            return []
        files = self.layout.files(contract.table)
        if not files:
            return []
        rows = answer(
            self.connection,
            f"SELECT DISTINCT {self._day_of('e')} FROM ({stored(contract, files)}) AS e "
            f"WHERE EXISTS (SELECT 1 FROM staged AS s WHERE {same_grain(contract, 's', 'e')})",
        )
        return sorted({row[0] for row in rows} - set(self.sizes))

    def _write(self, day: date | None) -> None:
        contract = self.contract
        names = listed(contract.by_name)
        files = sorted(self.layout.partition(contract.table, day).glob("part-*.parquet"))
        fresh = f"SELECT {names} FROM staged AS s"
        if day is not None:
            time, midnights = quoted(contract.partition or ""), (day, day + timedelta(days=1))
            first, last = (f"TIMESTAMPTZ '{one.isoformat()} 00:00:00+00'" for one in midnights)
            fresh += f" WHERE {time} >= {first} AND {time} < {last}"
        # Where the grain holds the time, only rows of this day can have the grain of its rows.
        again = fresh if contract.partition in contract.grain else f"SELECT {names} FROM staged"
        kept = (
            f"SELECT {names} FROM ({stored(contract, files)}) AS e WHERE NOT EXISTS "
            f"(SELECT 1 FROM ({again}) AS s WHERE {same_grain(contract, 's', 'e')})"
        )
        target = self.staging.replace(contract.table, day)
        select = f"{kept} UNION ALL {fresh}" if files else fresh
        with explained(f"load {contract.table}"):
            write_parquet(self.connection, f"{select} ORDER BY {listed(contract.order)}", target)
            if not files:
                return
            before = self._count(f"SELECT count(*) FROM ({stored(contract, files)})")
            after = self._count(f"SELECT count(*) FROM read_parquet({literal(target)})")
        self.replaced += before + self.sizes.get(day, 0) - after
        if after == 0:
            self.staging.drop(contract.table, day)
