"""What is compared with what: a selection of one service's hours, before and after."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime, timedelta

import polars as pl

from fleetslo.charts import words
from fleetslo.errors import NoData
from fleetslo.periods import Period

WAYS: dict[str, str] = {
    "period": "the period before",
    "versions": "another version",
    "deployment": "before a deployment",
}
"""Each way to compare, and what a reader calls it."""

_HOUR = timedelta(hours=1)
AROUND = timedelta(hours=24)  # before and after a deployment: the same hours of the day twice


@dataclass(frozen=True)
class Selection:
    """Which requests of a service are looked at; None means all."""

    service: str
    endpoint: str | None = None
    region: str | None = None
    version: str | None = None

    def of(self, hours: pl.DataFrame) -> pl.DataFrame:
        """Return the rows of a query of hours that are selected."""
        for name in (one.name for one in fields(Selection)):
            wanted = getattr(self, name)
            if wanted is not None:
                hours = hours.filter(pl.col(name) == wanted)
        return hours

    def __str__(self) -> str:
        """Return the selection as a reader says it: ``checkout, GET /cart, all regions``."""
        version = f"version {self.version}" if self.version else None
        parts = (self.endpoint or "all endpoints", self.region or "all regions", version)
        return ", ".join([self.service, *(part for part in parts if part)])


@dataclass(frozen=True)
class Side:
    """One side of a comparison.

    Attributes:
        label: what it is called.
        period: the stretch of time it covers.
        hours: its rows, as the query of hours has them that was compared.
        version: the one version that it is of; None for all.
    """

    label: str
    period: Period
    hours: pl.DataFrame
    version: str | None = None

    def of(self, hours: pl.DataFrame) -> pl.DataFrame:
        """Return the rows of another query of hours that belong to this side."""
        found = _inside(hours, self.period)
        return found if self.version is None else found.filter(pl.col("version") == self.version)


@dataclass(frozen=True)
class Comparison:
    """Two sides of the same selection, and the stretch of time that shows both."""

    before: Side
    after: Side
    shown: Period

    @property
    def labels(self) -> tuple[str, str]:
        """What the two sides are called."""
        return self.before.label, self.after.label

    def told(self, selection: Selection) -> str:
        """Return what is compared, of which selection, with how many requests on each side."""
        counts = (int(side.hours["request_count"].sum()) for side in (self.after, self.before))
        after, before = (words.count(count) for count in counts)
        return (
            f"**{selection}**: {self.after.label} ({after} requests) "
            f"compared with {self.before.label} ({before})."
        )


def reach(period: Period) -> Period:
    """Return a period and the one before it: what every comparison draws on."""
    return Period(period.previous().start, period.end)


def with_period_before(hours: pl.DataFrame, period: Period) -> Comparison:
    """Return a period compared with the one before it."""
    before = period.previous()
    return Comparison(_side(hours, before), _side(hours, period), reach(period))


def with_earlier(hours: pl.DataFrame, period: Period, earlier: Period) -> Comparison:
    """Return a period compared with any stretch before it.

    Raises:
        NoData: the stretch does not lie before the period.
    """
    if earlier.end > period.start:
        raise NoData(f"{earlier.label} does not lie before {period.label}; choose an earlier end")
    return Comparison(
        _side(hours, earlier), _side(hours, period), Period(earlier.start, period.end)
    )


def between_versions(hours: pl.DataFrame, period: Period, old: str, new: str) -> Comparison:
    """Return two versions compared within a period.

    Raises:
        NoData: a version did not serve in it, or there is only one.
    """
    if old == new:
        raise NoData(f"version {old} cannot be compared with itself; choose two versions")
    inside = _inside(hours, period)
    sides = []
    for version in (old, new):
        rows = inside.filter(pl.col("version") == version)
        if rows.is_empty():
            raise NoData(f"version {version} served nothing in {period.label}")
        sides.append(Side(f"version {version}", period, rows, version))
    return Comparison(sides[0], sides[1], period)


def around(hours: pl.DataFrame, period: Period, moment: datetime, what: str) -> Comparison:
    """Return the day after something happened compared with the day before it.

    Both sides are equally long, so that they see the same hours of the day: a day, or less where
    the data ends. The hour in which it happened belongs to neither.

    Raises:
        NoData: it happened at an end of the data, so that one side is empty.
    """
    whole = reach(period)
    hour = moment.replace(minute=0, second=0, microsecond=0)
    following = hour if hour == moment else hour + _HOUR
    length = min(AROUND, hour - whole.start, whole.end - following) // _HOUR * _HOUR
    if length < _HOUR:
        raise NoData(
            f"{words.moment(moment)} is too near to an end of {whole.label} to compare both sides"
        )
    before, after = Period(hour - length, hour), Period(following, following + length)
    shown = Period(max(whole.start, hour - 3 * length), min(whole.end, following + 3 * length))
    told = words.duration(length.total_seconds())
    return Comparison(
        Side(f"{told} before {what}", before, _inside(hours, before)),
        Side(f"{told} after {what}", after, _inside(hours, after)),
        shown,
    )


def rollouts(deployments: pl.DataFrame, period: Period, service: str) -> pl.DataFrame:
    """Return a service's rollouts of a period, newest first.

    Columns: ``rollout_id, version, started_at, outcome``.

    The regions and canary steps of one change are one rollout, from its first start on; of their
    outcomes the worst is told.
    """
    worst_first = pl.Enum(["failed", "rolled_back", "in_progress", "succeeded"])
    return (
        deployments.filter(pl.col("service") == service)
        .group_by("rollout_id")
        .agg(
            pl.col("version").sort_by("started_at").last(),
            pl.col("started_at").min(),
            pl.col("outcome").cast(worst_first).min().cast(pl.String),
        )
        .filter(pl.col("started_at") >= period.start, pl.col("started_at") < period.end)
        .sort("started_at", descending=True)
    )


def busiest(hours: pl.DataFrame, column: str) -> list[tuple[str, int]]:
    """Return the values of a column with their requests, the busiest first."""
    counted = hours.group_by(column).agg(pl.col("request_count").sum())
    rows: Iterable[tuple[str, int]] = counted.sort(
        "request_count", column, descending=[True, False]
    ).iter_rows()
    return list(rows)


def newest_versions(hours: pl.DataFrame) -> list[str]:
    """Return the versions that served, in the order in which they last served, newest first."""
    last = (
        hours.filter(pl.col("request_count") > 0)
        .group_by("version")
        .agg(last=pl.col("hour").max(), first=pl.col("hour").min())
    )
    return last.sort("last", "first", descending=True)["version"].to_list()


def _inside(hours: pl.DataFrame, period: Period) -> pl.DataFrame:
    return hours.filter(pl.col("hour") >= period.start, pl.col("hour") < period.end)


def _side(hours: pl.DataFrame, period: Period) -> Side:
    return Side(period.label, period, _inside(hours, period))
