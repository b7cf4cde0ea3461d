"""What failed at a service, and the budgets that it cost: fetched once, kept while looked at."""

from dataclasses import dataclass
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import polars as pl

from fleetslo.errors import ObjectiveError
from fleetslo.periods import Period
from fleetslo.reliability.exclusions import excluded

if TYPE_CHECKING:
    from fleetslo.fleet import Fleet
    from fleetslo.reliability.objectives import Objective
    from fleetslo.reliability.openslo.selectors import Selector

UNRECORDED = "(kind not recorded)"
"""Faults that the requests have and the table of errors has not."""
_HOUR = timedelta(hours=1)
_SERIES = ["service", "endpoint", "region", "version", "hour"]


@dataclass(frozen=True)
class Budget:
    """The error budget of one objective that counts the service's faults.

    Attributes:
        objective: the objective.
        window: the part of its window that it judges, at the end of the period in question.
        budget_count: how many requests may fail in it.
        excluded: stretches that it does not count, such as maintenance.
    """

    objective: "Objective"
    window: Period
    budget_count: float
    excluded: tuple[Period, ...] = ()

    def counted(self, errors: pl.DataFrame) -> pl.DataFrame:
        """Return the errors that spend it: faults of its window, of the requests it counts.

        Errors are known by the hour, so an hour that is excluded in part counts whole.
        """
        selector = self.objective.selector
        rows = errors.filter(
            pl.col("is_fault"),
            pl.col("hour") >= self.window.start,
            pl.col("hour") < self.window.end,
        )
        for column in ("endpoint", "region", "version"):
            patterns = _patterns(selector, column)
            if patterns:
                known = rows[column].unique().to_list()
                rows = rows.filter(
                    pl.col(column).is_in([one for one in known if _matches(one, patterns)])
                )
        for one in self.excluded:
            last = pl.col("hour") + _HOUR
            rows = rows.filter((pl.col("hour") < one.start) | (last > one.end))
        return rows


@dataclass(frozen=True)
class LoadedErrors:
    """What failed at one service over a stretch of time.

    Attributes:
        service: its name.
        whole: the stretch that the rows cover.
        errors: as ``errors/hours``, with the faults whose kind was not recorded.
        requests: as ``requests/hours``.
        deployments: as ``delivery/deployments``.
        incidents: as ``oncall/incidents``.
        budgets: those that its faults spend, the tightest target first.
    """

    service: str
    whole: Period
    errors: pl.DataFrame
    requests: pl.DataFrame
    deployments: pl.DataFrame
    incidents: pl.DataFrame
    budgets: tuple[Budget, ...]


def load_errors(fleet: "Fleet", service: str, whole: Period, period: Period) -> LoadedErrors:
    """Return what failed at a service over ``whole``, with the budgets at the period's end."""
    chosen = [service]
    requests = fleet.query("requests/hours", period=whole, services=chosen)
    errors = fleet.query("errors/hours", period=whole, services=chosen)
    return LoadedErrors(
        service,
        whole,
        with_unrecorded(errors, requests),
        requests,
        fleet.query("delivery/deployments", period=whole, services=chosen),
        fleet.query("oncall/incidents", period=whole, services=chosen),
        _budgets(fleet, service, period),
    )


def with_unrecorded(errors: pl.DataFrame, requests: pl.DataFrame) -> pl.DataFrame:
    """Return the errors and, so that nothing is missed, the faults without a recorded kind.

    They are the faults of the requests beyond those of the errors, by series and hour.
    """
    recorded = (
        errors.filter(pl.col("is_fault"))
        .group_by(_SERIES)
        .agg(recorded_count=pl.col("error_count").sum())
    )
    rest = (
        requests.join(recorded, on=_SERIES, how="left")
        .with_columns(
            error_count=pl.col("error_count") - pl.col("recorded_count").fill_null(0),
            error=pl.lit(UNRECORDED),
            upstream=pl.lit(None, pl.String),
            is_fault=pl.lit(value=True),
        )
        .filter(pl.col("error_count") > 0)
    )
    return pl.concat([errors, rest.select(errors.columns)])


def _budgets(fleet: "Fleet", service: str, period: Period) -> tuple[Budget, ...]:
    """Return the budgets that faults spend: of objectives that count all requests."""
    try:
        objectives = fleet.objectives_at(period, [service])
        judged = fleet.judgements(period, [service])
        exclusions = fleet.exclusions
    except ObjectiveError:  # its own command explains it; errors can be seen without
        return ()
    about = fleet.services(period).filter(pl.col("service") == service).to_dicts()
    rows = {row["objective"]: row for row in judged.to_dicts()}
    budgets = []
    for one in objectives:
        row = rows.get(one.name)
        counts_faults = one.selector.requests == "all" and one.method == "Occurrences"
        if counts_faults and row is not None and (row["budget_count"] or 0) > 0:
            window = Period(row["judged_from"], row["window_end"])
            left_out = [part for each in about for part in excluded(exclusions, one, each, window)]
            budgets.append(Budget(one, window, row["budget_count"], tuple(left_out)))
    return tuple(sorted(budgets, key=lambda one: (-one.objective.target, one.objective.name)))


def _patterns(selector: "Selector", column: str) -> tuple[str, ...]:
    return {
        "endpoint": selector.endpoints,
        "region": selector.regions,
        "version": selector.versions,
    }[column]


def _matches(value: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(value, pattern) for pattern in patterns)
