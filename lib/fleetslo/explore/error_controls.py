"""The choices of explore_errors: those of every explorer, and which errors, told apart by what."""

from collections.abc import Callable
from datetime import timedelta

import ipywidgets as widgets
import polars as pl

from fleetslo.charts import words
from fleetslo.explore.choices import EVERY, MARGIN, dropdown
from fleetslo.explore.comparison import WAYS
from fleetslo.explore.controls import Controls
from fleetslo.explore.error_selection import KINDS, NO_UPSTREAM, ErrorSelection
from fleetslo.periods import Period
from fleetslo.reliability.failing.changes import DIMENSIONS

ERROR_WAYS = {**WAYS, "earlier": "an earlier stretch"}
MEASURES = {"count": "errors", "share": "share of requests"}
_MOST_ERRORS = 100  # kinds in a list; the rest are rare, and the tables have them all
_WEEKS_BEFORE = (2, 4, 8)  # offered as earlier stretches: the same days of the week


class ErrorControls(Controls):
    """The choices of an explorer, and which errors are looked at and how.

    Attributes:
        kind: ``faults``, ``mistakes`` or ``all``.
        error, upstream: one of each, or all.
        by: what the errors are told apart by.
        measure: what is drawn: ``count`` or ``share`` of the requests.
        budget: the objective whose budget is spent, by name.
        earlier: a stretch to compare with, as ``Period.parse`` reads it.
    """

    def __init__(self, changed: Callable[[str], None]) -> None:
        self.kind = dropdown("Show", "15em", [(says, key) for key, says in KINDS.items()])
        self.error = dropdown("Error", "16em")
        self.upstream = dropdown("Upstream", "14em")
        self.by = dropdown("Split by", "10em", [(one, one) for one in DIMENSIONS])
        self.measure = dropdown("Draw", "12em", [(says, key) for key, says in MEASURES.items()])
        self.budget = dropdown("Budget of", "24em")
        self.earlier = widgets.Combobox(
            description="Stretch",
            placeholder="2026-10-01/2026-10-08",
            continuous_update=False,
            style={"description_width": "initial"},
            layout=widgets.Layout(width="24em", max_width="100%", margin=MARGIN),
        )
        super().__init__(changed, ERROR_WAYS, stretch=self.earlier)
        self.add(
            kind=self.kind,
            error=self.error,
            upstream=self.upstream,
            by=self.by,
            measure=self.measure,
            objective=self.budget,
        )

    @property
    def selection(self) -> ErrorSelection:
        """What is looked at; the version counts only where versions are not compared."""
        where = super().selection
        error, upstream = (
            None if one.value in (EVERY, None) else str(one.value)
            for one in (self.error, self.upstream)
        )
        return ErrorSelection(
            where.service,
            where.endpoint,
            where.region,
            where.version,
            self.kind.value,
            error,
            upstream,
        )

    def offer_errors(self, errors: pl.DataFrame) -> None:
        """Offer the kinds and upstreams of these errors; what was chosen stays where it can."""
        with self.quiet():
            for one, column, none in (
                (self.error, "error", ""),
                (self.upstream, "upstream", "(none)"),
            ):
                counted = (
                    errors.with_columns(pl.col(column).fill_null(NO_UPSTREAM))
                    .group_by(column)
                    .agg(pl.col("error_count").sum())
                    .sort("error_count", column, descending=[True, False])
                    .head(_MOST_ERRORS)
                )
                told = [
                    (f"{value or none} · {words.count(count)}", value)
                    for value, count in counted.iter_rows()
                ]
                self.replace(one, [(f"all {len(told)}", EVERY), *told])

    def offer_budgets(self, names: list[tuple[str, str]]) -> None:
        """Offer objectives (label, name) whose budget is spent; the first stays unless chosen."""
        with self.quiet():
            self.replace(self.budget, names)
            if not names:
                self.budget.value = None

    def offer_stretches(self, period: Period) -> None:
        """Offer stretches as long as the period, some weeks before it; any other can be typed."""
        with self.quiet():
            self.earlier.options = [
                str(Period(period.start - back, period.end - back))
                for back in (timedelta(weeks=weeks) for weeks in _WEEKS_BEFORE)
                if back >= period.length
            ]
            self.earlier.value = next(iter(self.earlier.options), "")

    def fit(self) -> None:
        """Show only the choices that the way of comparing uses."""
        super().fit()
        self.earlier.layout.display = None if self.way.value == "earlier" else "none"
        self.budget.layout.display = None if len(self.budget.options) > 1 else "none"
