"""What was recorded of some services over a period: what every view of a notebook has."""

from collections.abc import Sequence
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING

import polars as pl

from fleetslo.periods import Period
from fleetslo.warehouse.queries import read_query

if TYPE_CHECKING:
    from fleetslo.fleet import Fleet


class Facts:
    """Services over a period; each part is fetched when it is first used.

    Args:
        fleet: where it comes from.
        period: the period asked for.
        names: the services; empty is all of the fleet.
    """

    def __init__(self, fleet: "Fleet", period: Period, names: Sequence[str] = ()) -> None:
        self.fleet = fleet
        self.period = period
        self.names = list(names)

    def _query(self, name: str, period: Period | None = None) -> pl.DataFrame:
        return self.fleet.query(name, period=period or self.period, services=self.names)

    @property
    def week_earlier(self) -> Period:
        """The period a week earlier, to say what changed."""
        week = timedelta(days=7)
        return Period(self.period.start - week, self.period.end - week)

    @cached_property
    def deployments(self) -> pl.DataFrame:
        """Deployments that started in the period or reach into it, one row per region."""
        return self._query("delivery/deployments")

    @cached_property
    def incidents(self) -> pl.DataFrame:
        """Incidents that overlap the period."""
        return self._query("oncall/incidents")

    @cached_property
    def freshness(self) -> pl.DataFrame:
        """How far each table reaches for these services; see ``reaches``."""
        return reaches(self._query("fleet/freshness"), read_query("fleet/freshness").tables)


def reaches(rows: pl.DataFrame, tables: Sequence[str]) -> pl.DataFrame:
    """Return how far tables reach, from rows of ``fleet/freshness``: one row per table.

    Columns: ``table_name, complete_until``; null for a table without rows.
    """
    newest = rows.group_by("table_name").agg(pl.col("complete_until").max())
    named = pl.DataFrame({"table_name": sorted(tables)}, schema={"table_name": pl.String})
    return named.join(newest, on="table_name", how="left", maintain_order="left")
