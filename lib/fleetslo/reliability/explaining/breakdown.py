"""Where a budget went, one dimension at a time; each adds up to all that was bad.

How much was bad is known to the minute; by what, only from tables by the hour. Each hour's parts
are settled against its minutes: where the table knows of less, the rest is "not broken down", and
where it knows of more (excluded minutes, a window that begins inside the hour, late data) its parts
are scaled down, which makes them an estimate, and said to be one.
"""

import polars as pl

from fleetslo.errors import ParameterError
from fleetslo.reliability.explaining.parts import EMPTY, NO_UPSTREAM, of_failures, of_requests
from fleetslo.reliability.openslo.selectors import Selector

DIMENSIONS = ("endpoint", "error", "upstream", "region", "version", "hour of the week")
"""What an objective's bad requests can be broken down by."""

NOT_BROKEN_DOWN = "not broken down"

SCHEMA = pl.Schema(
    {
        "value": pl.String(),
        "bad_count": pl.Int64(),
        "valid_count": pl.Int64(),
        "share": pl.Float64(),
        "spent": pl.Float64(),
        "is_estimate": pl.Boolean(),
    }
)
"""The columns of a breakdown."""

_HOUR = pl.col("minute").dt.truncate("1h").alias("hour")
_HOURS = [
    f"{day} {hour:02}:00"
    for day in ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
    for hour in range(24)
]


def broken_down(
    minutes: pl.DataFrame,
    selector: Selector,
    dimension: str,
    *,
    requests: pl.DataFrame,
    errors: pl.DataFrame,
    calls: pl.DataFrame,
    budget_spent: float | None = None,
) -> pl.DataFrame:
    """Return one row per value of a dimension, the worst first; they add up to all bad requests.

    Args:
        minutes: ``minute, good_count, valid_count`` of the objective over its window.
        selector: what it counts.
        dimension: one of ``DIMENSIONS``.
        requests: ``latency/hours`` of the service over the window.
        errors: ``errors/hours``, likewise.
        calls: ``calls/hours``, likewise.
        budget_spent: the share of the budget that all of it spent; None leaves ``spent`` null.

    Columns: ``value``, ``bad_count``, ``valid_count`` (null where it has no meaning: errors and
    dependencies), ``share`` of all bad, ``spent`` of the budget, ``is_estimate``. A last row
    ``NOT_BROKEN_DOWN`` holds what the tables do not cover, where there is any. Hours of the week
    are in UTC ("Mon 09:00"), all that reported, in their order.

    Which dependency made a request slow is not recorded. It is estimated: a call that took longer
    than the threshold made one request slow.

    Raises:
        ParameterError: there is no such dimension.
    """
    if dimension not in DIMENSIONS:
        raise ParameterError(f"no dimension {dimension!r}; there are {', '.join(DIMENSIONS)}")
    if dimension == "hour of the week":
        return _told(_by_hour_of_week(minutes), minutes, dimension, budget_spent)
    if selector.sli is not None:
        parts: list[pl.DataFrame] = []
    elif dimension in ("endpoint", "region", "version"):
        parts = [of_requests(requests, selector, dimension)]
    else:
        parts = of_failures(dimension, selector, requests, errors, calls)
    detail = pl.concat([EMPTY, *parts])
    settled = _settled(detail, minutes)
    if dimension == "upstream" and selector.within_s is not None and calls.height:
        unnamed = pl.col("value").replace(NOT_BROKEN_DOWN, NO_UPSTREAM)
        settled = _by_value(settled.with_columns(unnamed))
    return _told(settled, minutes, dimension, budget_spent)


def _settled(detail: pl.DataFrame, minutes: pl.DataFrame) -> pl.DataFrame:
    """Return the parts by value, settled hour by hour against the minutes, and the rest."""
    hours = minutes.group_by(_HOUR).agg(
        bad=(pl.col("valid_count") - pl.col("good_count")).sum(), valid=pl.col("valid_count").sum()
    )
    rows = detail.join(hours, on="hour")
    is_scaled = pl.col("bad_count").sum().over("hour") > pl.col("bad")
    rows = rows.sort("hour", "value").with_columns(
        _scaled("bad_count", "bad"),
        _scaled("valid_count", "valid"),
        is_estimate=pl.col("is_estimate") | (is_scaled & (pl.col("bad_count") > 0)),
    )
    values = _by_value(rows)
    rest = int(hours["bad"].sum()) - int(values["bad_count"].sum())
    if not rest:
        return values
    left = pl.DataFrame(
        [{"value": NOT_BROKEN_DOWN, "bad_count": rest, "valid_count": None, "is_estimate": False}],
        schema=values.schema,
    )
    return pl.concat([values, left])


def _by_value(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.group_by("value").agg(
        pl.col("bad_count").sum(),
        pl.when(pl.col("valid_count").null_count() == 0).then(pl.col("valid_count").sum()),
        pl.col("is_estimate").any(),
    )


def _scaled(count: str, most: str) -> pl.Expr:
    """Return counts of an hour, scaled down to whole numbers that add up where they are too many.

    Largest remainders (Hamilton's method): each gets its share cut to a whole number, and what is
    then left goes one by one to those that lost most.
    """
    whole = pl.col(count).sum().over("hour")
    share = pl.col(count) * pl.col(most)
    cut = share // whole
    lost = (share % whole).rank("ordinal", descending=True).over("hour")
    left = pl.col(most) - cut.sum().over("hour")
    fair = cut + (lost <= left).cast(pl.Int64)
    return pl.when(whole > pl.col(most)).then(fair).otherwise(pl.col(count)).alias(count)


def _by_hour_of_week(minutes: pl.DataFrame) -> pl.DataFrame:
    weekday, hour = pl.col("minute").dt.weekday(), pl.col("minute").dt.hour()
    place = (weekday.cast(pl.Int64) - 1) * 24 + hour
    return minutes.group_by(
        value=place.replace_strict(dict(enumerate(_HOURS)), return_dtype=pl.String)
    ).agg(
        bad_count=(pl.col("valid_count") - pl.col("good_count")).sum(),
        valid_count=pl.col("valid_count").sum(),
        is_estimate=pl.lit(value=False),
    )


def _told(
    values: pl.DataFrame, minutes: pl.DataFrame, dimension: str, spent: float | None
) -> pl.DataFrame:
    total = int((minutes["valid_count"] - minutes["good_count"]).sum())
    share = pl.col("bad_count") / total if total else pl.lit(None, pl.Float64)
    told = values.with_columns(
        share=share, spent=pl.lit(None, pl.Float64) if spent is None else share * spent
    )
    return in_order(told.select(SCHEMA.names()).cast(SCHEMA), dimension)


def in_order(values: pl.DataFrame, dimension: str) -> pl.DataFrame:
    """Return the values with the worst first, what is not broken down last; hours as they come."""
    if dimension == "hour of the week":
        place = pl.col("value").replace_strict(
            {name: place for place, name in enumerate(_HOURS)}, return_dtype=pl.Int64
        )
        return values.sort(place)
    return values.sort(pl.col("value") == NOT_BROKEN_DOWN, -pl.col("bad_count"), "value")
