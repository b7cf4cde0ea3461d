"""The widget of explore_latency: a service's latency, and two selections of it compared."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets
import polars as pl

from fleetslo.charts.latency.compare import mark_sides, quantile_curves
from fleetslo.charts.latency.moves import moves
from fleetslo.charts.latency.over_time import heat_map
from fleetslo.charts.latency.shifts import quantile_shifts
from fleetslo.errors import NoData
from fleetslo.explore.comparison import Selection, reach, rollouts
from fleetslo.explore.controls import Controls
from fleetslo.explore.explorer import Explorer, busiest_service
from fleetslo.explore.loading import Loaded, load
from fleetslo.explore.panel import ChartPanel, TablePanel
from fleetslo.explore.view import remembering
from fleetslo.periods import Period

if TYPE_CHECKING:
    from fleetslo.fleet import Fleet

_RESAMPLES = 400  # the interval's ends settle to about 1 % of the ratio


class LatencyView(Explorer):
    """A service's latency and a comparison of two selections, redrawn when a choice changes.

    Made by ``explore_latency``. What is chosen can be read at any time, for use in a next cell.
    ``choose`` takes any of ``service, endpoint, region, version`` (None is all), ``compare``
    (``period``, ``versions``, ``deployment``), ``old``, ``new`` (versions) and ``deployment``
    (a rollout_id).

    Attributes:
        period: the period in question.
        heat, curves, shifts: the charts.
        endpoints, regions: what moved, a table each; widgets of their own, to show anywhere.
        comparison: both sides, their labels and periods; None when there is nothing to compare.
        problem: why nothing is shown; None when all is well.
    """

    tables = ("requests_hourly", "deployments", "incidents")

    def __init__(self, fleet: "Fleet", period: Period, services: list[str]) -> None:
        super().__init__(fleet, period, services, Controls)
        self._loaded: Loaded | None = None
        self._loaded_of = remembering(lambda service: load(fleet, service, period))
        self.heat, self.curves, self.shifts = (ChartPanel(320) for _ in range(3))
        self.endpoints, self.regions = TablePanel(), TablePanel()
        halves = widgets.GridBox(
            [self.curves.widget, self.shifts.widget],
            layout=widgets.Layout(
                width="100%",
                grid_template_columns="repeat(auto-fit, minmax(min(420px, 100%), 1fr))",
                grid_gap="8px 24px",
            ),
        )
        self._lay_out(self.heat.widget, halves)

    @property
    def selection(self) -> Selection:
        """What is looked at now."""
        return self.controls.selection

    @property
    def hours(self) -> pl.DataFrame:
        """The selected rows of the period and the one before, as ``latency/hours`` has them."""
        if self._loaded is None:
            return pl.DataFrame()
        return self.selection.of(self._loaded.hours)

    @property
    def before(self) -> pl.DataFrame:
        """The rows that are compared with; none when there is nothing to compare."""
        return self.comparison.before.hours if self.comparison else self.hours.clear()

    @property
    def after(self) -> pl.DataFrame:
        """The rows in question; none when there is nothing to compare."""
        return self.comparison.after.hours if self.comparison else self.hours.clear()

    def _panels(self) -> tuple[ChartPanel | TablePanel, ...]:
        return self.heat, self.curves, self.shifts, self.endpoints, self.regions

    def _load(self) -> None:
        """Fetch the chosen service's rows, once, and offer what it has."""
        service = self.controls.service.value
        if service is None:
            raise NoData("choose a service")
        if self._loaded is not None and self._loaded.service == service:
            return
        self._loaded = None
        self._loaded = self._loaded_of(service)
        self.controls.offer(
            self._loaded.hours, rollouts(self._loaded.deployments, self.period, service)
        )

    def _draw(self) -> None:
        if self._loaded is None:
            return
        selection = self.selection
        hours = selection.of(self._loaded.hours)
        found = self._compare(hours)
        within_s, target = self._loaded.threshold(selection)
        heat = heat_map(
            hours,
            period=found.shown,
            threshold_s=within_s,
            target=target,
            deployments=self._loaded.deployments,
            incidents=self._loaded.incidents,
        )
        marks = mark_sides(heat.figure, found.before.period, found.after.period)
        sides = found.before.hours, found.after.hours, found.labels
        self.heat.show(replace(heat, says=f"{heat.says} {marks}".strip()))
        self.curves.show(quantile_curves(*sides))
        self.shifts.show(quantile_shifts(*sides, resamples=_RESAMPLES))
        self.endpoints.show(moves(*sides[:2], "endpoint", found.labels))
        self.regions.show(moves(*sides[:2], "region", found.labels))
        self._found(found)


def explore_latency(
    fleet: "Fleet", service: str, period: Period, *, compare: str = "period", **choices: Any
) -> LatencyView:
    """Return the widget for a service's latency over a period, drawn for these choices.

    A service or choice that does not exist is told in the widget, where another can be chosen.

    Args:
        fleet: where the data is.
        service: what to look at first; empty is the busiest.
        period: the period in question; the one before it is loaded as well.
        compare: ``period`` (with the one before), ``versions`` or ``deployment``.
        choices: ``endpoint, region, version, old, new, deployment``; see ``LatencyView.choose``.
            An empty text means all, or what the widget would choose by itself.
    """
    seen = fleet.query("fleet/seen", period=reach(period)).sort("service")
    view = LatencyView(fleet, period, seen["service"].to_list())
    return view.begin(service=service or busiest_service(seen), compare=compare, **choices)
