"""What was recorded of some services over a period: what every view of a notebook has."""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import polars as pl

from fleetslo.periods import Period

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
        """How far each table reaches for these services."""
        return self._query("fleet/freshness")
