"""One service over one period, as a notebook holds it."""

from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

import polars as pl

from fleetslo.charts.objectives import ordered
from fleetslo.charts.service import NO_OBJECTIVE
from fleetslo.explaining import Explaining
from fleetslo.facts import Facts
from fleetslo.periods import Period
from fleetslo.published import read_published_numbers
from fleetslo.reliability.exclusions import excluded, without
from fleetslo.reliability.explaining import breakdown, causes
from fleetslo.reliability.forecast import Forecast, forecast
from fleetslo.reliability.history import HOURS, as_defined, spent_by_hour
from fleetslo.reliability.judging import burn_minutes, worst
from fleetslo.reliability.latency import quantile_frame
from fleetslo.reliability.objectives import Objective
from fleetslo.reliability.replaying.detection import Detection, detect
from fleetslo.reliability.replaying.replay import replay
from fleetslo.reliability.restatements import restatements

if TYPE_CHECKING:
    from fleetslo.fleet import Fleet


class ServiceView(Facts):
    """One service's data over a period; each part is fetched when it is first used.

    Attributes:
        name: the service.
        period: the period asked for.
        about: its row of ``Fleet.services``: squad, tier, …; null where not catalogued.
    """

    def __init__(self, fleet: "Fleet", period: Period, about: dict[str, Any]) -> None:
        super().__init__(fleet, period, [about["service"]])
        self.about = about
        self.name: str = about["service"]
        self._windows: dict[Period, Explaining] = {}
        self._explained: dict[str, pl.DataFrame] = {}

    @cached_property
    def judgements(self) -> pl.DataFrame:
        """One row per objective of the service; see ``Fleet.judgements``."""
        return self.fleet.judgements(self.period, [self.name])

    @cached_property
    def previous_judgements(self) -> pl.DataFrame:
        """The same one week earlier, to say what changed."""
        return self.fleet.judgements(self.week_earlier, [self.name])

    @cached_property
    def week_spent(self) -> dict[str, float]:
        """What share of its budget each judged objective spent in the last seven days."""
        since = self.fleet.until(self.period) - timedelta(days=7)
        lately = pl.col("hour") >= since
        return {
            row["objective"]: self.spent_by_hour(row["objective"]).filter(lately)["bad_count"].sum()
            / row["budget_count"]
            for row in self.judgements.iter_rows(named=True)
            if row["verdict"] != "unjudged" and row["budget_count"]
        }

    @property
    def verdict(self) -> str | None:
        """The worst judged verdict of its objectives; None when it has no objectives."""
        return worst(self.judgements["verdict"].to_list())

    @property
    def tightest(self) -> dict[str, Any]:
        """The judgement that needs attention most; one without counts when it has no objective."""
        return ordered(self.judgements)[0] if self.judgements.height else dict(NO_OBJECTIVE)

    @cached_property
    def tightest_hours(self) -> pl.DataFrame:
        """What that objective spent in each hour of its window; see ``history.spent_by_hour``."""
        return self.spent_by_hour(self.tightest["objective"])

    @property
    def threshold(self) -> dict[str, Any]:
        """``within_s`` and ``target`` of its first latency objective; both None without one."""
        found = self.judgements.filter(pl.col("kind") == "latency").sort("objective")
        row = found.row(0, named=True) if found.height else {"within_s": None, "target": None}
        return {"within_s": row["within_s"], "target": row["target"]}

    @property
    def explained(self) -> pl.DataFrame:
        """What spent the budget of the objective that needs attention most, by cause."""
        return self.explanation(self.tightest["objective"])

    @property
    def dimensions(self) -> dict[str, pl.DataFrame]:
        """What spent it along each dimension; see ``broken_down``."""
        name = self.tightest["objective"]
        return {dimension: self.broken_down(name, dimension) for dimension in breakdown.DIMENSIONS}

    @property
    def outlook(self) -> Forecast:
        """What becomes of that budget at the present burn; empty where nothing is judged."""
        found = self.forecast(self.tightest["objective"])
        return found or Forecast(self.fleet.until(self.period))

    @property
    def detected(self) -> Detection | None:
        """What that objective's alerts would have found over the period."""
        return self.detection(self.tightest["objective"])

    @cached_property
    def restated(self) -> list[dict[str, Any]]:
        """Windows of which other counts were published than the data has now; newest first."""
        told = read_published_numbers(self.fleet.settings.home, [self.name])
        return restatements(told, [self.judgements, self.previous_judgements])

    @cached_property
    def objectives(self) -> dict[str, Objective]:
        """The objectives that it is judged by, by name; those not measurable here, too."""
        found = self.fleet.objectives_at(self.period, [self.name])
        return {objective.name: objective for objective in found}

    def explanation(self, objective: str) -> pl.DataFrame:
        """Return where an objective's budget went, by cause; see ``causes.explain``.

        The rows add up to what is judged bad. Of a composite, its members' rows together. No row
        for an objective that is not judged.
        """
        if objective not in self._explained:
            judgement, explaining = self._explaining(objective)
            self._explained[objective] = (
                pl.DataFrame(schema=causes.SCHEMA)
                if explaining is None
                else explaining.by_cause(self.objectives[objective], judgement["budget_spent"])
            )
        return self._explained[objective]

    def broken_down(self, objective: str, dimension: str) -> pl.DataFrame:
        """Return where an objective's budget went along a dimension; see ``breakdown.broken_down``.

        Raises:
            ParameterError: there is no such dimension.
        """
        judgement, explaining = self._explaining(objective)
        if explaining is None:
            return pl.DataFrame(schema=breakdown.SCHEMA)
        return explaining.by(dimension, self.objectives[objective], judgement["budget_spent"])

    def spent_by_hour(self, objective: str) -> pl.DataFrame:
        """Return what an objective spent, hour by hour of its window; see ``history``.

        No row for an objective that is not judged.
        """
        judgement, explaining = self._explaining(objective)
        if explaining is None:
            return pl.DataFrame(schema=HOURS)
        one = self.objectives[objective]
        window = Period(judgement["judged_from"], judgement["window_end"])
        gone = excluded(self.fleet.exclusions, one, self.about, window)
        return spent_by_hour(explaining.minutes, one, window, gone, explaining.period.end)

    def forecast(self, objective: str) -> Forecast | None:
        """Return what becomes of an objective's budget at the present burn; see ``forecast``.

        None for an objective that is not judged.
        """
        judgement, explaining = self._explaining(objective)
        if explaining is None:
            return None
        one, until = self.objectives[objective], explaining.period.end
        # The traffic ahead is that of earlier weeks, which a month that began lately has none of.
        first = min(judgement["judged_from"], until - one.window.nominal)
        seen = Period(first, until)
        gone = excluded(self.fleet.exclusions, one, self.about, seen)
        hours = spent_by_hour(self.minutes, one, seen, gone, until)
        return forecast(hours, judgement["budget_count"], one.window, until)

    def detection(self, objective: str) -> Detection | None:
        """Return what an objective's alerts would have found over the period; see ``detect``.

        An alert may be about an incident of the service, or of a dependency whose trouble the
        explanation found in it; the incidents to be found are its own. Minutes that are excluded
        are no data. None for an objective that is not judged, and for a composite, which has no
        minutes of its own.
        """
        one = self.objectives.get(objective)
        _, explaining = self._explaining(objective)
        if one is None or one.members or explaining is None:
            return None
        until = self.fleet.until(self.period)
        period = Period(self.period.start, until)
        mine = self.minutes.filter(pl.col("objective") == objective)
        first = mine["minute"].min() or period.start
        seen = Period(first, until)  # type: ignore[arg-type]
        alerts = replay(
            without(mine, excluded(self.fleet.exclusions, one, self.about, seen)),
            {(self.name, objective): one},
            least_bad=self.fleet.settings.alert_least_bad,
            until=until,
        )
        return detect(
            alerts.drop("service"),
            self.incidents,
            period,
            others=self.felt(objective),
            zone=self.about["oncall_timezone"] or "UTC",
        )

    def felt(self, objective: str) -> pl.DataFrame:
        """Return the incidents of dependencies that an objective's explanation blames for bad ones.

        Columns: those of ``oncall/incidents``. None for an objective that is not judged.
        """
        _, explaining = self._explaining(objective)
        if explaining is None:
            return self.incidents.clear()
        blamed = " ".join(self.explanation(objective).filter(pl.col("bad_count") > 0)["cause"])
        named = pl.lit(blamed).str.contains(pl.col("incident_id"), literal=True)
        return explaining.dependencies.filter(named)

    def _explaining(self, objective: str) -> tuple[dict[str, Any], Explaining | None]:
        """Return an objective's judgement, and what is fetched for its window."""
        rows = self.judgements.filter(pl.col("objective") == objective)
        if rows.is_empty():
            return {}, None
        row = rows.row(0, named=True)
        until = min(row["window_end"], self.fleet.until(self.period))
        period = Period(row["judged_from"], until)
        if period not in self._windows:
            self._windows[period] = Explaining(self.fleet, self.about, period)
        return row, self._windows[period]

    @cached_property
    def minutes(self) -> pl.DataFrame:
        """Good and valid counts per objective and minute, as each is defined now.

        They reach back over the period and every window, and over what alerts look back on before.
        """
        until, judged = self.fleet.until(self.period), self.judgements
        days = judged["window_days"].max() or 0.0
        starts = [self.period.start, until - timedelta(days=float(days)), *judged["judged_from"]]  # type: ignore[arg-type]
        measured = [one for one in self.objectives.values() if one.unmeasured is None]
        before = timedelta(minutes=max(burn_minutes(measured)))
        rows = self._query("slo/minutes", Period(min(starts) - before, until))
        return as_defined(rows, measured)

    @cached_property
    def hours(self) -> pl.DataFrame:
        """Requests, errors and latency per endpoint, region, version and hour."""
        return self._query("latency/hours")

    @cached_property
    def endpoints(self) -> pl.DataFrame:
        """Requests, errors and merged latency per endpoint."""
        return self._query("latency/endpoints")

    @property
    def both_endpoints(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Requests and errors per endpoint, of the period and of the one a week earlier."""
        return self.endpoints, self._query("requests/endpoints", self.week_earlier)

    @cached_property
    def errors(self) -> pl.DataFrame:
        """Errors by kind, endpoint, upstream and hour."""
        return self._query("errors/hours")

    @cached_property
    def quantiles(self) -> dict[str, Any]:
        """``p50_s, p95_s, p99_s`` of all its requests of the period; empty without a duration."""
        found = quantile_frame(self.endpoints, ["service"], [0.5, 0.95, 0.99])
        return found.row(0, named=True) if found.height else {}

    @property
    def lab(self) -> str:
        """A line that opens this service and period in JupyterLab's latency notebook."""
        return f'service, period = "{self.name}", "{self.period}"'
