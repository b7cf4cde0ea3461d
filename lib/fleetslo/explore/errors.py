"""The widget of explore_errors: what fails, since when, for whom, and what it costs."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl

from fleetslo.charts import words
from fleetslo.charts.errors.over_time import errors_over_time
from fleetslo.charts.errors.tables import groups_table, news_table
from fleetslo.charts.latency.compare import mark_sides
from fleetslo.errors import NoData
from fleetslo.explore.comparison import Comparison, reach, rollouts, with_earlier
from fleetslo.explore.error_controls import ErrorControls
from fleetslo.explore.error_findings import groups, news
from fleetslo.explore.error_loading import Budget, LoadedErrors, load_errors
from fleetslo.explore.error_selection import ErrorSelection
from fleetslo.explore.explorer import Explorer, busiest_service
from fleetslo.explore.panel import ChartPanel, TablePanel
from fleetslo.explore.view import remembering
from fleetslo.periods import Period
from fleetslo.reliability.failing.clumping import Stretch

if TYPE_CHECKING:
    from fleetslo.fleet import Fleet

_GROWN_APART = 2  # values that grew most and have a colour of their own, however few they are


class ErrorsView(Explorer):
    """A service's errors in two stretches of time, redrawn when a choice changes.

    Made by ``explore_errors``. What is chosen can be read at any time, for use in a next cell.
    ``choose`` takes any of ``service, endpoint, region, version, error`` (None is all),
    ``upstream`` (None is all, "" is none), ``kind`` (``faults``, ``mistakes``, ``all``), ``by``
    (``error, endpoint, upstream, version, region``), ``measure`` (``count``, ``share``),
    ``objective`` (whose budget is spent, by name), ``compare`` (``period``, ``versions``,
    ``deployment``, ``earlier``), ``old``, ``new`` (versions), ``deployment`` (a rollout_id) and
    ``stretch`` (the earlier one, a period as text).

    Attributes:
        timeline: the chart.
        news, groups: what is new; and what each value of ``by`` did and cost. Tables, widgets of
            their own, to show anywhere.
        new: the rows of ``news``, as ``error_findings.news`` returns them.
        rows: the rows of ``groups``, as ``error_findings.groups`` returns them.
        comparison: both sides, their labels and periods; None when there is nothing to compare.
        problem: why nothing is shown; None when all is well.
    """

    controls: ErrorControls
    tables = ("errors_hourly", "requests_hourly", "slo_minutes", "deployments", "incidents")

    def __init__(self, fleet: "Fleet", period: Period, services: list[str]) -> None:
        super().__init__(fleet, period, services, ErrorControls)
        self._loaded: LoadedErrors | None = None
        self._loaded_of = remembering(
            lambda service, whole: load_errors(fleet, service, whole, period)
        )
        self.timeline = ChartPanel(340)
        self.news, self.groups = TablePanel(), TablePanel()
        self.new, self.rows = pl.DataFrame(), pl.DataFrame()
        self.controls.offer_stretches(period)
        self._lay_out(self.timeline.widget, self.news.widget)

    @property
    def selection(self) -> ErrorSelection:
        """What is looked at now."""
        return self.controls.selection

    @property
    def errors(self) -> pl.DataFrame:
        """The selected errors of all hours that are shown, as ``errors/hours`` has them."""
        if self._loaded is None:
            return pl.DataFrame()
        return self.selection.errors_of(self._loaded.errors)

    @property
    def before(self) -> pl.DataFrame:
        """The errors that are compared with; none when there is nothing to compare."""
        return self.comparison.before.of(self.errors) if self.comparison else self.errors.clear()

    @property
    def after(self) -> pl.DataFrame:
        """The errors in question; none when there is nothing to compare."""
        return self.comparison.after.of(self.errors) if self.comparison else self.errors.clear()

    @property
    def budget(self) -> Budget | None:
        """The budget that is held against the faults; None when no objective counts them."""
        budgets = self._loaded.budgets if self._loaded else ()
        chosen = self.controls.budget.value
        return next((one for one in budgets if one.objective.name == chosen), None)

    def tell(self, sentence: str) -> None:
        """Show a sentence in place of the charts, and hold no rows of what was chosen before."""
        self.new, self.rows = self.new.clear(), self.rows.clear()
        super().tell(sentence)

    def _panels(self) -> tuple[ChartPanel | TablePanel, ...]:
        return self.timeline, self.news, self.groups

    def _earlier(self) -> Period | None:
        """Return the chosen earlier stretch; None where another way of comparing is chosen."""
        if self.controls.way.value != "earlier":
            return None
        text = self.controls.earlier.value
        if not text:
            raise NoData("choose or type the earlier stretch, such as 2026-10-01/2026-10-08")
        return Period.parse(text, as_of=self.period.start)

    def _load(self) -> None:
        """Fetch the chosen service's rows, once, and offer what it has."""
        controls, service = self.controls, self.controls.service.value
        if service is None:
            raise NoData("choose a service")
        earlier, whole = self._earlier(), reach(self.period)
        if earlier is not None and earlier.start < whole.start:
            whole = Period(earlier.start, whole.end)
        if self._loaded is None or (self._loaded.service, self._loaded.whole) != (service, whole):
            self._loaded = None
            self._loaded = self._loaded_of(service, whole)
            deployed = rollouts(self._loaded.deployments, self.period, service)
            controls.offer(self._loaded.requests, deployed)
            objectives = (one.objective for one in self._loaded.budgets)
            controls.offer_budgets([(one.label, one.name) for one in objectives])
        where = replace(controls.selection, error=None, upstream=None)
        controls.offer_errors(where.errors_of(self._loaded.errors))

    def _draw(self) -> None:
        if self._loaded is None:
            return
        selection, by, budget = self.selection, str(self.controls.by.value), self.budget
        errors, requests = self.errors, selection.of(self._loaded.requests)
        found = self._compare(requests)
        before, after = (
            Stretch(side.of(errors), side.hours) for side in (found.before, found.after)
        )
        self.new = news(before, after, budget)
        self.rows = groups(before, after, [by], budget)
        grown = self.rows.filter(pl.col("change").is_in(["new", "rose"]))
        chart = errors_over_time(
            before,
            after,
            Stretch(errors, requests),
            by,
            shown=found.shown,
            noun=selection.noun,
            measure=self.controls.measure.value,
            first=grown[by].head(_GROWN_APART).to_list(),
            deployments=self._loaded.deployments,
            incidents=self._loaded.incidents,
        )
        marks = mark_sides(chart.figure, found.before.period, found.after.period)
        self.timeline.show(replace(chart, says=f"{chart.says} {marks}".strip()))
        self.news.show(news_table(self.new, found.labels, selection.noun))
        self.groups.show(
            groups_table(
                self.rows,
                by,
                found.labels,
                noun=selection.noun,
                budget=_named(budget) if budget else None,
            )
        )
        self._found(found)

    def _compare(self, hours: pl.DataFrame) -> Comparison:
        earlier = self._earlier()
        if earlier is None:
            return super()._compare(hours)
        found = with_earlier(hours, self.period, earlier)
        if found.before.hours.is_empty():
            raise NoData(f"{self.selection}: no request was recorded in {earlier.label}")
        return found


def _named(budget: Budget) -> str:
    return f"{budget.objective.label} ({words.window(budget.objective.window.nominal)})"


def explore_errors(
    fleet: "Fleet", service: str, period: Period, *, compare: str = "period", **choices: Any
) -> ErrorsView:
    """Return the widget for a service's errors over a period, drawn for these choices.

    A service or choice that does not exist is told in the widget, where another can be chosen.

    Args:
        fleet: where the data is.
        service: what to look at first; empty is the busiest.
        period: the period in question; the one before it is loaded as well.
        compare: ``period`` (with the one before), ``versions``, ``deployment`` or ``earlier``.
        choices: as ``ErrorsView.choose`` takes them; None means what the widget chooses by
            itself, and so does an empty text.
    """
    seen = fleet.query("fleet/seen", period=reach(period)).sort("service")
    view = ErrorsView(fleet, period, seen["service"].to_list())
    return view.begin(service=service or busiest_service(seen), compare=compare, **choices)
