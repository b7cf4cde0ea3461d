"""What tables by the hour know of an objective's bad requests: ``hour``, ``value`` and counts."""

import polars as pl

from fleetslo.reliability.buckets import bucket_of, nearest_bounds
from fleetslo.reliability.openslo.selectors import Selector
from fleetslo.reliability.thresholds import selected

NO_UPSTREAM = "no dependency named"
SLOW = "too slow"

EMPTY = pl.DataFrame(
    schema={
        "hour": pl.Datetime("us", "UTC"),
        "value": pl.String,
        "bad_count": pl.Int64,
        "valid_count": pl.Int64,
        "is_estimate": pl.Boolean,
    }
)


def of_requests(requests: pl.DataFrame, selector: Selector, dimension: str) -> pl.DataFrame:
    """Return the bad and valid requests of each endpoint, region or version and hour."""
    rows = _counted(selected(requests, selector), selector)
    return _rows(rows, pl.col(dimension), valid=pl.col("valid_count").sum())


def _counted(requests: pl.DataFrame, selector: Selector) -> pl.DataFrame:
    """Return rows of requests with what an objective counts in them, the uncertain ones as bad.

    An approximate row is a guess wherever the threshold lies.
    """
    success = pl.col("request_count") - pl.col("error_count")
    valid = success if selector.requests == "successful" else pl.col("request_count")
    good, guess = success, pl.lit(value=False)
    if selector.within_s is not None:
        fast, cut = _edges(selector)
        is_slow_good = selector.op in ("gt", "gte")
        good = _in_buckets(above=cut) if is_slow_good else _in_buckets(upto=fast)
        guess = pl.col("quality") == "approximate"
    return requests.with_columns(
        valid_count=valid, bad_count=(valid - good).clip(0), is_estimate=guess
    )


def _edges(selector: Selector) -> tuple[int, int]:
    """Return the last bucket on the fast side of the threshold, and the last it reaches into."""
    assert selector.within_s is not None  # noqa: S101 -- narrows the type; the callers see to it
    below, above = nearest_bounds(selector.within_s)
    bucket = bucket_of(above)
    holds_bound = below == above and selector.op in ("lte", "gt")
    return (bucket, bucket) if holds_bound else (bucket - 1, bucket)


def _in_buckets(*, upto: int | None = None, above: int | None = None) -> pl.Expr:
    bucket, count = (pl.element().struct.field(name) for name in ("bucket", "count"))
    wanted = bucket <= upto if upto is not None else bucket > above
    inside = pl.col("latency").list.eval(pl.when(wanted).then(count).otherwise(0))
    return inside.list.sum().fill_null(0)


def of_failures(
    dimension: str,
    selector: Selector,
    requests: pl.DataFrame,
    errors: pl.DataFrame,
    calls: pl.DataFrame,
) -> list[pl.DataFrame]:
    """Return faults by error or dependency, and beside them what was slow."""
    parts = []
    if selector.requests == "all":
        faults = selected(errors.filter(pl.col("is_fault")), selector).with_columns(
            pl.col("upstream").fill_null(NO_UPSTREAM),
            bad_count=pl.col("error_count"),
            is_estimate=pl.lit(value=False),
        )
        parts.append(_rows(faults, pl.col(dimension)))
    if selector.within_s is not None:
        counted = _counted(selected(requests, selector), selector)
        if dimension == "upstream":
            parts.append(_slow_calls(calls, counted, requests, selector))
        else:
            faults_too = pl.col("error_count") if selector.requests == "all" else pl.lit(0)
            slow = counted.with_columns(bad_count=pl.col("bad_count") - faults_too)
            parts.append(_rows(slow, pl.lit(SLOW)))
    return parts


def slow_calls(calls: pl.DataFrame, selector: Selector) -> pl.DataFrame:
    """Return how many calls took longer than an objective's threshold: ``hour, upstream, count``.

    Calls that failed are not among them: they have no duration, and make requests fail.
    """
    _, cut = _edges(selector)
    return (
        calls.with_columns(count=_in_buckets(above=cut))
        .group_by("hour", "upstream")
        .agg(pl.col("count").sum())
        .sort("hour", "upstream")
    )


def _slow_calls(
    calls: pl.DataFrame, counted: pl.DataFrame, requests: pl.DataFrame, selector: Selector
) -> pl.DataFrame:
    """Return slow calls as requests: those of the objective's part of the service's traffic."""
    all_requests = requests.group_by("hour").agg(whole=pl.col("request_count").sum())
    own = counted.group_by("hour").agg(own=pl.col("request_count").sum())
    scaled = (
        slow_calls(calls, selector)
        .join(all_requests, on="hour")
        .join(own, on="hour")
        .filter(pl.col("whole") > 0)
        .with_columns(
            bad_count=pl.col("count") * pl.col("own") // pl.col("whole"),
            is_estimate=pl.lit(value=True),
        )
    )
    return _rows(scaled, pl.col("upstream"))


def _rows(rows: pl.DataFrame, value: pl.Expr, valid: pl.Expr | None = None) -> pl.DataFrame:
    return (
        rows.group_by("hour", value.alias("value"))
        .agg(
            pl.col("bad_count").sum().cast(pl.Int64),
            valid_count=pl.lit(None, pl.Int64) if valid is None else valid.cast(pl.Int64),
            is_estimate=(pl.col("is_estimate") & (pl.col("bad_count") > 0)).any(),
        )
        .select(EMPTY.columns)
    )
