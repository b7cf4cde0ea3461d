"""How a budget was spent over time: minutes in, hours and hours' burn out."""

from datetime import datetime, timedelta

import polars as pl

_COUNTS = ("good_count", "valid_count", "uncertain_count")


def hourly(minutes: pl.DataFrame, objective: str, start: datetime, end: datetime) -> pl.DataFrame:
    """Return one row per hour of ``[start, end)``: what was counted, null where nothing reported.

    Args:
        minutes: rows of ``objective, minute, good_count, valid_count, uncertain_count``.
        objective: its name.
        start: first instant, cut to its hour.
        end: last instant, exclusive.

    Columns: ``hour, good_count, valid_count, uncertain_count, bad_count, covered_minutes``.
    Counts are null in an hour without telemetry, 0 in one without traffic. ``bad_count`` counts
    the uncertain ones as bad, as ``Judgement`` does.
    """
    counted = (
        minutes.filter(
            (pl.col("objective") == objective)
            & (pl.col("minute") >= start)
            & (pl.col("minute") < end)
        )
        .group_by(pl.col("minute").dt.truncate("1h").alias("hour"))
        .agg(pl.col(*_COUNTS).sum(), covered_minutes=pl.len().cast(pl.Int64))
    )
    first = start.replace(minute=0, second=0, microsecond=0)
    hours = pl.DataFrame(
        {
            "hour": pl.datetime_range(
                first, end, "1h", closed="left", time_unit="us", time_zone="UTC", eager=True
            )
        }
    )
    return (
        hours.join(counted, on="hour", how="left")
        .with_columns(
            bad_count=pl.col("valid_count") - pl.col("good_count"),
            covered_minutes=pl.col("covered_minutes").fill_null(0),
        )
        .sort("hour")
    )


def spent_over_time(hours: pl.DataFrame, budget_count: float) -> pl.DataFrame:
    """Return the hours with ``budget_left``: the share of the whole budget left after each hour.

    Negative is overspent. Null in an hour without telemetry, since nothing is known there.
    ``budget_count`` is the budget of the whole window in requests; 0 leaves every row null.
    """
    if budget_count <= 0:
        return hours.with_columns(budget_left=pl.lit(None, dtype=pl.Float64))
    so_far = pl.col("bad_count").fill_null(0).cum_sum()
    left = 1.0 - so_far / budget_count
    return hours.with_columns(budget_left=pl.when(pl.col("valid_count").is_not_null()).then(left))


def burn_by_hour(hours: pl.DataFrame, target: float) -> pl.DataFrame:
    """Return the hours with ``burn``: bad share over allowed share; null without traffic."""
    ratio = pl.col("bad_count") / pl.col("valid_count") / (1.0 - target)
    return hours.with_columns(burn=pl.when(pl.col("valid_count") > 0).then(ratio))


def worst_stretch(hours: pl.DataFrame, length: timedelta) -> tuple[datetime, float] | None:
    """Return the start of the stretch of this length that took most, and its share of all bad.

    The stretch begins on the hour. None when nothing was bad.
    """
    total = hours["bad_count"].sum()
    if not total:
        return None
    width = int(length / timedelta(hours=1))
    rolled = hours.select(
        "hour",
        taken=pl.col("bad_count")
        .fill_null(0)
        .reverse()
        .rolling_sum(width, min_samples=1)
        .reverse(),
    )
    best = rolled.sort("taken", descending=True, maintain_order=True).row(0)
    return best[0], best[1] / total


def inside_incidents(
    minutes: pl.DataFrame, objective: str, incidents: pl.DataFrame
) -> pl.DataFrame:
    """Return what was bad inside each incident and outside all of them; the rows add up.

    A minute that lies in several incidents belongs to "A and B" (ids in order). An open incident
    reaches to the last minute. Everything bad in an incident's minutes is counted, the usual
    background included.

    Columns: ``incident_ids`` (null is outside all), ``bad_count``, ``minute_count``.
    """
    counted = minutes.filter(pl.col("objective") == objective).select(
        "minute", bad_count=pl.col("valid_count") - pl.col("good_count")
    )
    if counted.is_empty():
        return pl.DataFrame(
            schema={"incident_ids": pl.String, "bad_count": pl.Int64, "minute_count": pl.UInt32}
        )
    names: list[list[str]] = [[] for _ in range(counted.height)]
    counted = counted.sort("minute")
    stamps = counted["minute"]
    for row in incidents.sort("incident_id").iter_rows(named=True):
        first = stamps.search_sorted(row["started_at"].replace(second=0, microsecond=0))
        closed = row["resolved_at"]
        last = counted.height if closed is None else stamps.search_sorted(closed)
        for place in range(int(first), int(last)):
            names[place].append(row["incident_id"])
    joined = pl.Series("incident_ids", [" and ".join(one) or None for one in names], pl.String)
    return (
        counted.with_columns(joined)
        .group_by("incident_ids")
        .agg(pl.col("bad_count").sum(), minute_count=pl.len())
        .sort("bad_count", descending=True)
    )
