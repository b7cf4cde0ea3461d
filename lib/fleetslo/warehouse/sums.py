"""Hours and days, summed from minutes: which rows stand where both were loaded and rolled."""

from dataclasses import dataclass

import polars as pl


@dataclass(frozen=True)
class Sum:
    """A derived table, the table it is summed from, and the count by which rows are compared."""

    target: str
    source: str
    count: str
    time: str


# In this order: days are summed from hours, so that hours without minutes count.
SUMS = (
    Sum("requests_hourly", "requests", "request_count", "hour"),
    Sum("errors_hourly", "errors", "error_count", "hour"),
    Sum("calls_hourly", "calls", "call_count", "hour"),
    Sum("requests_daily", "requests_hourly", "request_count", "day"),
    Sum("errors_daily", "errors_hourly", "error_count", "day"),
)


def combined(
    of: Sum, fresh: pl.DataFrame, standing: pl.DataFrame, *, ours: bool
) -> tuple[pl.DataFrame, bool]:
    """Return the rows of a day, and whether some of them did not come from its source.

    Where all standing rows were rolled before (``ours``), fresh ones replace those of the same
    services; the rest had minutes once and are kept. Where rows were loaded directly, minutes may
    cover an hour in part only, such as around an incident: for each service and hour the fuller
    side stands, and the fresh one when they are equal.
    """
    if standing.is_empty():
        return fresh, False
    if ours:
        kept = standing.join(fresh.select("service").unique(), on="service", how="anti")
        return pl.concat([fresh, kept]), False
    key = ["service", of.time]
    totals = (
        standing.group_by(key)
        .agg(pl.col(of.count).sum().alias("standing_count"))
        .join(fresh.group_by(key).agg(pl.col(of.count).sum()), on=key, how="left")
    )
    fuller = totals.filter(
        pl.col(of.count).is_null() | (pl.col("standing_count") > pl.col(of.count))
    ).select(key)
    kept = standing.join(fuller, on=key, how="semi")
    return pl.concat([fresh.join(fuller, on=key, how="anti"), kept]), kept.height > 0
