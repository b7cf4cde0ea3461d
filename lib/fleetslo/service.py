"""One service over one period, as a notebook holds it."""

from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

import polars as pl

from fleetslo.periods import Period
from fleetslo.reliability.judging import worst

if TYPE_CHECKING:
    from fleetslo.fleet import Fleet


class ServiceView:
    """One service's data over a period; each part is fetched when it is first used.

    Attributes:
        name: the service.
        period: the period asked for.
        about: its row of ``Fleet.services``: squad, tier, …; null where not catalogued.
    """

    def __init__(self, fleet: "Fleet", period: Period, about: dict[str, Any]) -> None:
        self.fleet = fleet
        self.period = period
        self.about = about
        self.name: str = about["service"]

    def _query(self, name: str, period: Period | None = None) -> pl.DataFrame:
        return self.fleet.query(name, period=period or self.period, services=[self.name])

    @cached_property
    def judgements(self) -> pl.DataFrame:
        """One row per objective of the service; see ``Fleet.judgements``."""
        return self.fleet.judgements(self.period, [self.name])

    @cached_property
    def previous_judgements(self) -> pl.DataFrame:
        """The same one week earlier, to say what changed."""
        week = timedelta(days=7)
        earlier = Period(self.period.start - week, self.period.end - week)
        return self.fleet.judgements(earlier, [self.name])

    @property
    def verdict(self) -> str | None:
        """The worst judged verdict of its objectives; None when it has no objectives."""
        return worst(self.judgements["verdict"].to_list())

    @cached_property
    def minutes(self) -> pl.DataFrame:
        """Good and valid counts per objective and minute, over the longest window."""
        days = self.judgements["window_days"].max()
        window = timedelta(days=float(days)) if days else self.period.length  # type: ignore[arg-type]
        return self._query("slo/minutes", self.period.last(max(window, self.period.length)))

    @cached_property
    def hours(self) -> pl.DataFrame:
        """Requests, errors and latency per endpoint, region, version and hour."""
        return self._query("latency/hours")

    @cached_property
    def endpoints(self) -> pl.DataFrame:
        """Requests, errors and merged latency per endpoint."""
        return self._query("latency/endpoints")

    @cached_property
    def errors(self) -> pl.DataFrame:
        """Errors by kind, endpoint, upstream and hour."""
        return self._query("errors/hours")

    @cached_property
    def deployments(self) -> pl.DataFrame:
        """Deployments that started in the period or reach into it, one row per region."""
        return self._query("delivery/deployments")

    @cached_property
    def incidents(self) -> pl.DataFrame:
        """Incidents that overlap the period."""
        return self._query("oncall/incidents")
