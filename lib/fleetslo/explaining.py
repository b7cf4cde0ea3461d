"""Why a service's budget went: what is fetched for an explanation, and put together for it."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import polars as pl

from fleetslo.facts import Facts
from fleetslo.periods import Period
from fleetslo.reliability.exclusions import excluded, without
from fleetslo.reliability.explaining import breakdown, causes
from fleetslo.reliability.explaining.parts import slow_calls
from fleetslo.reliability.objectives import Objective
from fleetslo.reliability.thresholds import selected

if TYPE_CHECKING:
    from fleetslo.fleet import Fleet

_CAUSES = ("kind", "cause", "title")
_VALUES = ("value",)


class Explaining(Facts):
    """What spent the budgets of one service over one window; each part is fetched once.

    Minutes are those of the objectives. What failed, where and through whom is read by the hour,
    since that is kept for all of a window, while its minutes are kept for the newest days.

    Attributes:
        period: from where an objective is judged, so far.
    """

    def __init__(self, fleet: "Fleet", about: Mapping[str, Any], period: Period) -> None:
        super().__init__(fleet, period, [about["service"]])
        self.about = about

    @cached_property
    def minutes(self) -> pl.DataFrame:
        """Good and valid counts per objective and minute."""
        return self._query("slo/minutes")

    @cached_property
    def requests(self) -> pl.DataFrame:
        """Requests, errors and latency per endpoint, region, version and hour."""
        return self._query("latency/hours")

    @cached_property
    def errors(self) -> pl.DataFrame:
        """Errors by kind, endpoint, dependency and hour."""
        return self._query("errors/hours")

    @cached_property
    def calls(self) -> pl.DataFrame:
        """Calls to each dependency by hour, as the service saw them."""
        return self._query("calls/hours")

    @cached_property
    def dependencies(self) -> pl.DataFrame:
        """Incidents of the services that it calls, as far as calls or errors name them."""
        named = {*self.calls["upstream"], *self.errors["upstream"].drop_nulls()}
        named -= {self.about["service"]}
        if not named:
            return self.incidents.clear()
        return self.fleet.query("oncall/incidents", period=self.period, services=sorted(named))

    def by_cause(self, objective: Objective, spent: float | None) -> pl.DataFrame:
        """Return ``causes.explain`` of an objective, or of a composite's members together."""
        rows = _together(objective, spent, self._counted, self._explain, _CAUSES)
        return causes.in_order(rows) if objective.members else rows

    def by(self, dimension: str, objective: Objective, spent: float | None) -> pl.DataFrame:
        """Return ``breakdown.broken_down`` of an objective, or of its members together."""

        def one(part: Objective, of: float | None) -> pl.DataFrame:
            return breakdown.broken_down(
                self._counted(part),
                part.selector,
                dimension,
                requests=self.requests,
                errors=self.errors,
                calls=self.calls,
                budget_spent=of,
            )

        rows = _together(objective, spent, self._counted, one, _VALUES)
        return breakdown.in_order(rows, dimension) if objective.members else rows

    def _counted(self, objective: Objective) -> pl.DataFrame:
        """Return the minutes that an objective counts: those of its definition, not excluded."""
        left_out = excluded(self.fleet.exclusions, objective, self.about, self.period)
        own = self.minutes.filter(
            (pl.col("objective") == objective.name)
            & (pl.col("definition") == objective.selector.definition)
        )
        return without(own, left_out)

    def _explain(self, objective: Objective, spent: float | None) -> pl.DataFrame:
        is_latency = objective.selector.within_s is not None
        return causes.explain(
            self._counted(objective),
            objective.name,
            incidents=self.incidents,
            deployments=self.deployments,
            dependencies=self.dependencies,
            signals=self._signals(objective),
            names_requests=not is_latency,
            budget_spent=spent,
        )

    def _signals(self, objective: Objective) -> pl.DataFrame | None:
        if objective.selector.sli is not None:
            return None
        if objective.selector.within_s is not None:
            return slow_calls(self.calls, objective.selector)
        faults = self.errors.filter("is_fault", pl.col("upstream").is_not_null())
        return (
            selected(faults, objective.selector)
            .group_by("hour", "upstream")
            .agg(count=pl.col("error_count").sum())
            .sort("hour", "upstream")
        )


def _together(
    objective: Objective,
    spent: float | None,
    counted: Callable[[Objective], pl.DataFrame],
    one: Callable[[Objective, float | None], pl.DataFrame],
    keys: Sequence[str],
) -> pl.DataFrame:
    """Return what one objective spent, or a composite's members, their rows added up.

    What a composite spent is divided among its members by weight × burn, which is exact where
    burn rates add, and the nearest to it elsewhere; ``share`` is then of what was spent, since
    bad requests of different members weigh differently.
    """
    if not objective.members:
        return one(objective, spent)
    burns = [part.weight * _burn(counted(part), part.target) for part in objective.members]
    whole = sum(burns)
    frames = [
        one(part, None if spent is None or not whole else spent * burn / whole)
        for part, burn in zip(objective.members, burns, strict=True)
    ]
    rows = pl.concat(frames)
    merged = {"first": pl.Expr.min, "last": pl.Expr.max, "is_estimate": pl.Expr.any}
    return (
        rows.group_by(keys)
        .agg(merged.get(name, _sum)(pl.col(name)) for name in rows.columns if name not in keys)
        .with_columns(share=pl.col("spent") / spent if spent else pl.lit(None, pl.Float64))
        .select(rows.columns)
    )


def _sum(count: pl.Expr) -> pl.Expr:
    return pl.when(count.null_count() == 0).then(count.sum())


def _burn(minutes: pl.DataFrame, target: float) -> float:
    bad = int((minutes["valid_count"] - minutes["good_count"]).sum())
    valid = int(minutes["valid_count"].sum())
    return bad / valid / (1 - target) if valid else 0.0
