"""One squad over one period, as a notebook holds it."""

from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

import polars as pl

from fleetslo.facts import Facts
from fleetslo.periods import Period
from fleetslo.published import read_published_numbers
from fleetslo.reliability.combined import contributions, left_out
from fleetslo.reliability.objectives import Objective
from fleetslo.reliability.policies import PolicyState, overspent_periods, policy_state
from fleetslo.reliability.restatements import restatements

if TYPE_CHECKING:
    from fleetslo.fleet import Fleet
    from fleetslo.service import ServiceView

WEEK = timedelta(days=7)
MOST_PERIODS = 12
"""How many periods in a row are looked at: a year of 28-day periods, less one."""

Key = tuple[str, str]
_NO_CAUSES = {
    "service": pl.String, "objective": pl.String, "label": pl.String, "kind": pl.String,
    "cause": pl.String, "title": pl.String, "bad_count": pl.Float64, "share": pl.Float64,
    "spent": pl.Float64,
}  # fmt: skip
_NO_DAYS = {
    "service": pl.String, "objective": pl.String, "label": pl.String, "day": pl.Date,
    "bad_count": pl.Float64, "spent": pl.Float64,
}  # fmt: skip


class SquadView(Facts):
    """The data of one squad's services over a period; each part is fetched when it is first used.

    Attributes:
        name: the squad.
        period: the period asked for.
        services: rows of ``Fleet.services``, those that the squad owned at the period's end.
        until: the period's end, or how far the data reaches in a period that still runs.
        week: the last seven days up to then.
    """

    def __init__(self, fleet: "Fleet", period: Period, name: str, services: pl.DataFrame) -> None:
        super().__init__(fleet, period, services["service"].to_list())
        self.name = name
        self.services = services
        self.until = fleet.until(period)
        self.week = Period(self.until - WEEK, self.until)

    @cached_property
    def views(self) -> dict[str, "ServiceView"]:
        """Each of its services by name."""
        return {name: self.fleet.service(name, self.period) for name in self.names}

    @cached_property
    def judgements(self) -> pl.DataFrame:
        """One row per service and objective; see ``Fleet.judgements``."""
        return self.fleet.judgements(self.period, self.names)

    @cached_property
    def previous_judgements(self) -> pl.DataFrame:
        """The same services' judgements at the end of the period before."""
        return self.fleet.judgements(self.period.previous(), self.names)

    @cached_property
    def objectives(self) -> dict[Key, Objective]:
        """Every objective in force, by service and name; those not measurable here, too."""
        found = self.fleet.objectives_at(self.period, self.names)
        return {(one.service, one.name): one for one in found}

    @cached_property
    def counts(self) -> pl.DataFrame:
        """What each objective counted over the period, and over its last seven days.

        Columns: those of ``Fleet.spending`` over the period, the judgement's ``label, kind, unit,
        target, budget_count``, and ``week_bad_count, week_valid_count, week_sli``.
        """
        about = self.judgements.select(
            "service", "objective", "label", "kind", "unit", "target", "budget_count"
        )
        week = self.fleet.spending(self.week, self.names).select(
            "service",
            "objective",
            pl.col("bad_count", "valid_count", "sli").name.prefix("week_"),
        )
        over = self.fleet.spending(self.period, self.names).select(
            "service", "objective", "valid_count", "bad_count", "sli", "coverage"
        )
        key = ["service", "objective"]
        return about.join(over, on=key, how="left").join(week, on=key, how="left")

    @cached_property
    def contributions(self) -> pl.DataFrame:
        """What each service weighs and took from the squad's combined SLI over the period."""
        return contributions(self.counts)

    @property
    def left_out(self) -> list[str]:
        """Services with objectives of which none can be weighed by its requests."""
        return left_out(self.counts)

    @cached_property
    def week_contributions(self) -> pl.DataFrame:
        """The same over the period's last seven days."""
        return contributions(
            self.counts.with_columns(
                valid_count=pl.col("week_valid_count"), bad_count=pl.col("week_bad_count")
            )
        )

    @cached_property
    def in_a_row(self) -> dict[Key, tuple[int, bool]]:
        """For how many periods in a row each objective was missed, this one included.

        The second value says whether the row ends because nothing is known of the period before:
        it may be longer. Only missed objectives are here.
        """
        known = [_budgets(self.judgements), _budgets(self.previous_judgements)]
        period = self.period.previous()
        while len(known) < MOST_PERIODS and _missed_in_all(known):
            period = period.previous()
            known.append(_budgets(self.fleet.judgements(period, self.names)))
        rows = {}
        for key in _missed_in_all(known[:1]):
            lefts = [one.get(key) for one in known]
            count = overspent_periods(lefts)
            rows[key] = count, count == len(lefts) or lefts[count] is None
        return rows

    @cached_property
    def causes(self) -> pl.DataFrame:
        """What spent each objective's budget: a row per service, objective and cause.

        ``spent`` is the share of the objective's budget, null where that cannot be judged;
        ``share`` is that of its bad ones. The rows of one objective add up to all that was bad. The
        greatest share of a budget comes first.
        """
        frames = [pl.DataFrame(schema=_NO_CAUSES)]
        for row in self.judgements.iter_rows(named=True):
            if not row["budget_spent"]:
                continue
            explained = self.views[row["service"]].explanation(row["objective"])
            if row["verdict"] == "unjudged":
                explained = explained.with_columns(spent=None)
            about = (pl.lit(row[key]).alias(key) for key in ("service", "objective", "label"))
            frames.append(
                explained.with_columns(*about).select(
                    pl.col(name).cast(dtype) for name, dtype in _NO_CAUSES.items()
                )
            )
        return pl.concat(frames).sort("spent", "bad_count", descending=True, nulls_last=True)

    @cached_property
    def days(self) -> pl.DataFrame:
        """What each judged objective spent of its budget on each day of the period.

        ``spent`` and ``bad_count`` are null on a day without telemetry. Excluded minutes are in
        none of them.
        """
        frames = [pl.DataFrame(schema=_NO_DAYS)]
        for row in self.judgements.iter_rows(named=True):
            if row["verdict"] == "unjudged" or not row["budget_count"]:
                continue
            hours = self.views[row["service"]].spent_by_hour(row["objective"])
            frames.append(
                hours.filter(pl.col("hour").is_between(self.period.start, self.period.end, "left"))
                .group_by(pl.col("hour").dt.date().alias("day"), maintain_order=True)
                .agg(
                    pl.when(pl.col("bad_count").is_not_null().any()).then(pl.col("bad_count").sum())
                )
                .select(
                    service=pl.lit(row["service"]),
                    objective=pl.lit(row["objective"]),
                    label=pl.lit(row["label"]),
                    day=pl.col("day"),
                    bad_count=pl.col("bad_count").cast(pl.Float64),
                    spent=pl.col("bad_count") / row["budget_count"],
                )
            )
        return pl.concat(frames)

    @cached_property
    def worst_incidents(self) -> dict[Key, tuple[str, float]]:
        """The incident that took most of each objective's budget, and the share that it took."""
        found: dict[Key, tuple[str, float]] = {}
        mine = self.causes.filter((pl.col("kind") == "incident") & (pl.col("spent") > 0))
        for row in mine.iter_rows(named=True):  # the greatest first
            incident = row["cause"].partition(" (")[0]  # without the rollout that caused it
            found.setdefault((row["service"], row["objective"]), (incident, row["spent"]))
        return found

    @cached_property
    def policies(self) -> dict[Key, PolicyState]:
        """What the error-budget policy asks for, of each objective."""
        states = {}
        for row in self.judgements.iter_rows(named=True):
            key = (row["service"], row["objective"])
            _, spent = self.worst_incidents.get(key, (None, None))
            states[key] = policy_state(
                row["budget_left"],
                row["verdict"],
                largest_incident_spent=spent,
                slow_down_at=self.fleet.settings.at_risk_budget_left,
            )
        return states

    @property
    def postmortems(self) -> dict[Key, str]:
        """The incident that needs a postmortem, by the objective of which it took too much."""
        return {
            key: incident
            for key, (incident, _) in self.worst_incidents.items()
            if self.policies[key].postmortem
        }

    @property
    def both_endpoints(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        """``requests/endpoints`` of the period, and of the one before."""
        name = "requests/endpoints"
        return self._query(name), self._query(name, self.period.previous())

    @cached_property
    def restated(self) -> list[dict[str, Any]]:
        """Windows that were published with other counts than the data has now; newest first.

        Looked at are this window, the newest one published before, and that of the period before.
        Empty where nothing was published, or nothing changed; see ``reliability.restatements``.
        """
        told = read_published_numbers(self.fleet.settings.home, self.names)
        ends: set[datetime] = set(told["window_end"])
        earlier = [end for end in ends if end < self.period.end]
        wanted = {self.period.end, self.period.previous().end, *sorted(earlier)[-1:]} & ends
        return restatements(told, [self._judged_at(end) for end in sorted(wanted, reverse=True)])

    def _judged_at(self, end: datetime) -> pl.DataFrame:
        if end == self.period.end:
            return self.judgements
        if end == self.period.previous().end:
            return self.previous_judgements
        return self.fleet.judgements(Period(end - self.period.length, end), self.names)

    @property
    def lab(self) -> str:
        """A line that opens this squad and period in JupyterLab."""
        return f'view = fleet.squad({self.name!r}, fs.Period.parse("{self.period}"))'


def _budgets(judgements: pl.DataFrame) -> dict[Key, float | None]:
    """Return the share of budget left by objective; None where it was not judged."""
    return {
        (service, objective): None if verdict == "unjudged" else left
        for service, objective, verdict, left in judgements.select(
            "service", "objective", "verdict", "budget_left"
        ).iter_rows()
    }


def _missed_in_all(known: list[dict[Key, float | None]]) -> set[Key]:
    missed = [{key for key, left in one.items() if left is not None and left < 0} for one in known]
    return set.intersection(*missed)
