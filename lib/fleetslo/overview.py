"""The whole fleet over one period, as a notebook holds it."""

from datetime import timedelta
from functools import cached_property
from typing import Any

import polars as pl

from fleetslo.charts.fleet import every_service
from fleetslo.facts import Facts
from fleetslo.periods import Period
from fleetslo.published import read_published_numbers
from fleetslo.reliability.explaining.costs import SCHEMA as COSTS
from fleetslo.reliability.explaining.costs import incident_costs, stretches_of, tightest_of
from fleetslo.reliability.history import as_defined
from fleetslo.reliability.restatements import restatements


class Overview(Facts):
    """The fleet's data over a period; each part is fetched when it is first used.

    Attributes:
        fleet: where it comes from.
        period: the period asked for.
    """

    @cached_property
    def services(self) -> pl.DataFrame:
        """One row per service; see ``Fleet.services``."""
        return self.fleet.services(self.period)

    @cached_property
    def judgements(self) -> pl.DataFrame:
        """One row per service and objective; see ``Fleet.judgements``."""
        return self.fleet.judgements(self.period)

    @cached_property
    def previous_judgements(self) -> pl.DataFrame:
        """The same one week earlier, to say what changed."""
        return self.fleet.judgements(self.week_earlier)

    @cached_property
    def week_spending(self) -> pl.DataFrame:
        """What each objective counted over the last seven days; see ``Fleet.spending``."""
        until = self.fleet.until(self.period)
        return self.fleet.spending(Period(until - timedelta(days=7), until))

    @property
    def both_endpoints(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        """``requests/endpoints`` of the period, and of the one a week earlier."""
        name = "requests/endpoints"
        return self._query(name), self._query(name, self.week_earlier)

    @cached_property
    def restated(self) -> list[dict[str, Any]]:
        """Windows of which other counts were published than the data has now; newest first."""
        told = read_published_numbers(self.fleet.settings.home)
        return restatements(told, [self.judgements, self.previous_judgements])

    @cached_property
    def days(self) -> pl.DataFrame:
        """Good and valid counts per service, objective and day, as each is defined now."""
        return as_defined(self.fleet.slo_days(self.period), self.fleet.objectives_at(self.period))

    @cached_property
    def failures(self) -> pl.DataFrame:
        """Requests and faults per service and day."""
        return self._query("requests/days")

    @cached_property
    def latency(self) -> pl.DataFrame:
        """Requests and merged latency per service."""
        return self._query("latency/services")

    @cached_property
    def incident_costs(self) -> pl.DataFrame:
        """What each incident spent of its service's tightest budget; see ``costs.incident_costs``.

        Excluded minutes are counted as well.
        """
        until = self.fleet.until(self.period)
        tightest = tightest_of(self.judgements)
        stretches = stretches_of(self.incidents, until)
        if stretches.is_empty():
            return pl.DataFrame(schema=COSTS)
        counts = self.fleet.query(
            "slo/stretches",
            period=Period(stretches["started_at"].min(), until),  # type: ignore[arg-type]
            services=stretches["service"].unique().sort().to_list(),
            stretch_services=stretches["service"].to_list(),
            stretch_starts=stretches["started_at"].to_list(),
            stretch_ends=stretches["stretch_end"].to_list(),
        )
        definitions = {
            (one.service, one.name): one.selector.definition
            for one in self.fleet.objectives_at(self.period)
        }
        return incident_costs(stretches, counts, tightest, definitions)

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """One row per service with everything the table of services shows."""
        return every_service(
            self.services, self.judgements, self.days, self.latency, self.deployments
        )
