"""The past of one service's objectives, as slo_tuning needs it: fetched once, tried many times."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

import polars as pl

from fleetslo.charts import words
from fleetslo.errors import NoData
from fleetslo.measuring import measures_of
from fleetslo.periods import Period
from fleetslo.reliability.counts import Stretch
from fleetslo.reliability.exclusions import excluded, without
from fleetslo.reliability.objectives import Objective
from fleetslo.reliability.slices import cut, finished_slices, judged_slices, slice_minutes
from fleetslo.reliability.thresholds import by_threshold, offered, selected
from fleetslo.reliability.tuning import (
    fit,
    met_by_target,
    past,
    supported,
    whole_windows,
)

if TYPE_CHECKING:
    from fleetslo.fleet import Fleet

HISTORY = timedelta(days=180)
"""How far windows reach back at most: what a service was half a year ago says little of it now."""

_MINUTE = timedelta(minutes=1)
_LOOK_BACK = timedelta(days=4)  # the longest window of a built-in policy over 28 days
_PAUSE = timedelta(days=1)
_LEAST = timedelta(hours=1)  # what the newest minutes may lack
_COUNTS = ("good_count", "valid_count", "uncertain_count")


def reach_back(period: Period) -> Period:
    """Return the stretch of time that windows are taken from; it ends with the period."""
    return Period(min(period.start, period.end - HISTORY), period.end)


def tunable(objectives: list[Objective]) -> list[Objective]:
    """Return the objectives that have a target of their own and are measured here."""
    return [part for one in objectives for part in one.measured]


def unit_of(objective: Objective) -> str:
    """Return what an objective counts: ``requests``, ``events`` or ``slices``."""
    if objective.method != "Occurrences":
        return "slices"
    return "requests" if objective.selector.sli is None else "events"


def counts_of(
    minutes: pl.DataFrame, objective: Objective, history: Period, left_out: list[Period]
) -> pl.DataFrame:
    """Return what an objective counted, as ``reliability.tuning`` reads it: by minute or slice.

    Args:
        minutes: rows of ``slo/minutes`` of its service.
        objective: a measured one.
        history: the stretch of time that they are from.
        left_out: what is not counted of it.
    """
    own = without(
        minutes.filter(
            pl.col("objective") == objective.name,
            pl.col("definition") == objective.selector.definition,
        ),
        left_out,
    )
    if objective.method == "Occurrences":
        covered = pl.lit(1, dtype=pl.Int64)
        return own.select(*_COUNTS, at="minute", covered_minutes=covered).sort("at")
    length = slice_minutes(objective)
    # What a slice without data counts as is meant for those since the first that was counted.
    counted: datetime = own["minute"].sort()[0] if own.height else history.end
    start = history.start + (counted - history.start) // (length * _MINUTE) * length * _MINUTE
    stretch = Stretch(start, history.end, history.end, tuple(left_out))
    slices = judged_slices(cut(own, start, length), finished_slices(stretch, length), [objective])
    first = pl.lit(start, dtype=pl.Datetime("us", "UTC"))
    return slices.select(
        at=first + pl.duration(minutes=pl.col("slice") * length),
        good_count="good",
        valid_count="valid",
        uncertain_count="uncertain",
        covered_minutes="covered_minutes",
    ).sort("at")


@dataclass(frozen=True)
class ServicePast:
    """What one service's objectives counted.

    Attributes:
        fleet: where the data is.
        service: its row of ``Fleet.services``.
        period: what alerts are replayed over.
        history: what windows are taken from; it ends with the period.
        objectives: those that can be tuned.
    """

    fleet: "Fleet"
    service: dict[str, Any]
    period: Period
    history: Period
    objectives: list[Objective]
    _recounted: dict[tuple[str, float], pl.DataFrame] = field(default_factory=dict)
    _windows: dict[str, dict[float, pl.DataFrame]] = field(default_factory=dict)
    _felt: dict[str, pl.DataFrame] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The service."""
        return str(self.service["service"])

    def _query(self, name: str, period: Period) -> pl.DataFrame:
        return self.fleet.query(name, period=period, services=[self.name])

    @cached_property
    def minutes(self) -> pl.DataFrame:
        """``slo/minutes`` of the history."""
        return self._query("slo/minutes", self.history)

    @cached_property
    def hours(self) -> pl.DataFrame:
        """``latency/hours`` of the history."""
        return self._query("latency/hours", self.history)

    @cached_property
    def incidents(self) -> pl.DataFrame:
        """Incidents of the service that reach into the period."""
        return self._query("oncall/incidents", self.period)

    def felt(self, objective: str) -> pl.DataFrame:
        """Return the incidents of dependencies that an objective felt; see ``ServiceView``."""
        if objective not in self._felt:
            view = self.fleet.service(self.name, self.period)
            self._felt[objective] = view.felt(objective)
        return self._felt[objective]

    @property
    def zone(self) -> str:
        """The zone in which its on-call sleeps; UTC where nobody says."""
        return self.service.get("oncall_timezone") or "UTC"

    def left_out(self, objective: Objective) -> list[Period]:
        """Return the agreed minutes that an objective does not count."""
        return excluded(self.fleet.exclusions, objective, self.service, self.history)

    def counts(self, objective: Objective) -> pl.DataFrame:
        """Return what an objective counted; see ``counts_of``."""
        return counts_of(self.minutes, objective, self.history, self.left_out(objective))

    def windows(self, objective: Objective, within_s: float | None = None) -> pl.DataFrame:
        """Return the whole windows of an objective at a threshold, its own unless given.

        Hours reach back further than what was counted by the minute, so they are asked where they
        know the threshold.
        """
        chosen = within_s or objective.selector.within_s
        if chosen is None or not self.can_move(objective):
            return self._past(objective, self.counts(objective))
        if chosen in self._windows.get(objective.name, {}):
            return self._windows[objective.name][chosen]
        return self._at(objective, [chosen])[chosen]

    def _past(self, objective: Objective, counts: pl.DataFrame) -> pl.DataFrame:
        return past(
            counts,
            whole_windows(objective.window, self.history),
            coverage_minimum=self.fleet.settings.coverage_minimum,
        )

    def can_move(self, objective: Objective) -> bool:
        """Return whether hours can tell what another threshold would have counted."""
        selector = objective.selector
        return (
            selector.within_s is not None
            and selector.op == "lte"
            and objective.method == "Occurrences"
        )

    def thresholds(self, objective: Objective) -> list[float]:
        """Return the thresholds worth trying, in seconds; none where it has no threshold."""
        if not self.can_move(objective):
            return []
        return offered(selected(self.hours, objective.selector), objective.selector.within_s or 0)

    def by_threshold(self, objective: Objective) -> dict[float, pl.DataFrame]:
        """Return the whole windows of an objective at each threshold worth trying, from hours."""
        if objective.name not in self._windows:
            self._windows[objective.name] = self._at(objective, self.thresholds(objective))
        return self._windows[objective.name]

    def _at(self, objective: Objective, thresholds: list[float]) -> dict[float, pl.DataFrame]:
        hours = selected(self.hours, objective.selector)
        kept = without(hours.rename({"hour": "minute"}), self.left_out(objective))
        counted = by_threshold(
            kept.rename({"minute": "hour"}), objective.selector.requests or "all", thresholds
        )
        return {
            one: self._past(objective, counted.filter(pl.col("within_s") == one))
            for one in thresholds
        }

    @cached_property
    def fits(self) -> pl.DataFrame:
        """Whether the target of each objective fits its past; see ``fits``."""
        return fits([(one, self.windows(one)) for one in self.objectives])

    def tried_counts(self, objective: Objective, found: "Replayable") -> pl.DataFrame:
        """Return what an objective counted in minutes that are replayed, in its own unit."""
        period = found.period
        moved = found.minutes.with_columns(
            objective=pl.lit(objective.name), definition=pl.lit(objective.selector.definition)
        )
        return counts_of(moved, objective, period, self.left_out(objective))

    def replayable(self, objective: Objective, within_s: float | None) -> "Replayable":
        """Return the minutes that alerts are replayed over, as a threshold counts them.

        The objective's own threshold has minutes of the whole history; another is counted anew,
        from the newest stretch for which requests are kept by the minute.
        """
        own = self.minutes.filter(
            pl.col("objective") == objective.name,
            pl.col("definition") == objective.selector.definition,
        )
        if within_s is None or within_s == objective.selector.within_s:
            return Replayable(without(own, self.left_out(objective)), self.period, None)
        key = (objective.name, within_s)
        if key not in self._recounted:
            self._recounted[key] = self._recount(objective, within_s)
        found = _newest_stretch(self._recounted[key])
        if found.is_empty() or found["minute"][-1] < self.period.end - _LEAST:
            raise NoData(
                f"requests are not kept by the minute near {words.moment(self.period.end)}, so no "
                f"alert can be replayed at {words.latency(within_s)}"
            )
        first = max(self.period.start, found["minute"][0])
        since = None if first == self.period.start else first
        return Replayable(
            without(found, self.left_out(objective)), Period(first, self.period.end), since
        )

    def _recount(self, objective: Objective, within_s: float) -> pl.DataFrame:
        moved = replace(objective, selector=replace(objective.selector, within_s=within_s))
        (measure,) = measures_of([moved])
        return self.fleet.warehouse.query(
            measure.query,
            start=self.period.start - _LOOK_BACK,
            end=self.period.end,
            services=[self.name],
            step_minutes=1,
            **measure.parameters,
        ).sort("minute")


@dataclass(frozen=True)
class Replayable:
    """Minutes to replay alerts over.

    Attributes:
        minutes: as ``slo/minutes``, from before the period where there are any.
        period: what alerts are counted in.
        since: where the period had to be cut short at its start; None where it is whole.
    """

    minutes: pl.DataFrame
    period: Period
    since: datetime | None


def _newest_stretch(minutes: pl.DataFrame) -> pl.DataFrame:
    """Return the rows after the last gap that is too long to be a pause of the service."""
    gaps = minutes.filter(pl.col("minute").diff() > _PAUSE)
    return minutes if gaps.is_empty() else minutes.filter(pl.col("minute") >= gaps["minute"][-1])


def met_map(windows: dict[float, pl.DataFrame], targets: Sequence[float]) -> pl.DataFrame:
    """Return how many windows met each target at each threshold, and the worst SLI of each."""
    frames = [
        met_by_target(frame, targets).with_columns(
            within_s=pl.lit(within_s),
            worst=pl.lit(supported(frame, targets).worst, dtype=pl.Float64),
        )
        for within_s, frame in windows.items()
    ]
    return pl.concat(frames).sort("within_s", "target")


def fits(windows: Iterable[tuple[Objective, pl.DataFrame]]) -> pl.DataFrame:
    """Return one row per objective: whether its target fits the windows of its past.

    Columns: ``service, objective, label, target, fit, window_count, met_count, missed_count,
    unsure_count, worst_spent, worst, always_met``.
    """
    rows = []
    for one, past_windows in windows:
        says, numbers = fit(past_windows, one.target)
        support = supported(past_windows)
        rows.append(
            {
                "service": one.service,
                "objective": one.name,
                "label": one.label[:1].upper() + one.label[1:],
                "target": one.target,
                "fit": says,
                **numbers,
                "worst": support.worst,
                "always_met": support.always_met,
            }
        )
    return pl.DataFrame(rows, schema=_FITS)


_FITS: dict[str, pl.DataType] = {
    **{name: pl.String() for name in ("service", "objective", "label")},
    "target": pl.Float64(),
    "fit": pl.String(),
    **{name: pl.Int64() for name in ("window_count", "met_count", "missed_count", "unsure_count")},
    **{name: pl.Float64() for name in ("worst_spent", "worst", "always_met")},
}
