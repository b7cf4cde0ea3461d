"""How far the histograms' quantiles lie from those that the data sets give themselves.

A quantile ``q`` of ``n`` requests is known to one bucket (4.43 %) wherever it is a request of its
own: ``n × (1 − q) ≥ 1``, that is 2 for p50, 10 for p90, 20 for p95 and 100 for p99. With fewer, the
rank ``ceil(q × n)`` belongs to a higher quantile too, or is the slowest request, of which the
source's own percentile is no more than a guess.
"""

from datetime import timedelta
from pathlib import Path

import polars as pl

from fleetslo.reliability.latency import BASE, quantile_frame
from fleetslo.warehouse.base import open_warehouse

BUCKET = BASE - 1
_KEYS = ["service", "endpoint", "minute"]


def petshop_percentiles(file: Path) -> pl.DataFrame:
    """Return PetShop's own percentiles by traffic, split, service, endpoint and minute."""
    metrics = pl.read_csv(file, infer_schema_length=None)
    return metrics.select(
        "traffic",
        "split",
        pl.col("microservice").alias("service"),
        pl.lit("").alias("endpoint"),
        _instant("unix_ts"),
        *(pl.col(f"p{q}_s").alias(f"own_p{q}_s") for q in (50, 90, 95, 99)),
    ).drop_nulls("own_p50_s")


def nezha_percentiles(file: Path) -> pl.DataFrame:
    """Return Nezha's own percentiles by service, endpoint and minute.

    Minutes of which two phases hold a part are left out: percentiles cannot be merged.
    """
    spans = pl.read_csv(file, infer_schema_length=None).filter(pl.col("span_kind") == "child")
    return spans.select(
        "service",
        pl.col("operation").alias("endpoint"),
        _instant("minute_unix"),
        *((pl.col(f"p{q}_us") / 1e6).alias(f"own_p{q}_s") for q in (50, 95, 99)),
    ).filter(pl.struct(_KEYS).is_unique())


def _instant(seconds: str) -> pl.Expr:
    return (pl.col(seconds) * 1_000_000).cast(pl.Datetime("us", "UTC")).alias("minute")


def differences(rows: pl.DataFrame, own: pl.DataFrame) -> pl.DataFrame:
    """Return one row per row of ``requests`` and quantile, with how far the two lie apart.

    Columns: those of the grain, ``quantile``, ``duration_count``, ``found_s``, ``own_s``,
    ``difference`` (0.0443 is one bucket, whichever is the larger) and ``enough``.
    """
    columns = [name for name in own.columns if name.startswith("own_")]
    quantiles = {name: int(name[5:7]) / 100 for name in columns}
    found = quantile_frame(rows, _KEYS, list(quantiles.values())).join(own, on=_KEYS)
    parts = [
        found.select(
            *_KEYS,
            "duration_count",
            quantile=pl.lit(q),
            found_s=pl.col(name.removeprefix("own_")),
            own_s=pl.col(name),
        )
        for name, q in quantiles.items()
    ]
    high, low = pl.max_horizontal("found_s", "own_s"), pl.min_horizontal("found_s", "own_s")
    return (
        pl.concat(parts)
        .drop_nulls("found_s")
        .with_columns(
            difference=high / low - 1,
            # A millionth, since 100 × (1 − 0.99) is 1.0000000000000009 or so.
            enough=pl.col("duration_count") * (1 - pl.col("quantile")) >= 1 - 1e-6,
        )
    )


def distribution(found: pl.DataFrame, *by: str) -> pl.DataFrame:
    """Return per quantile (and ``by``) how the differences are spread.

    Columns: ``quantile, rows, median, p95, max, within_a_bucket`` (a share, to a billionth).
    """
    difference = pl.col("difference")
    return (
        found.group_by(*by, "quantile")
        .agg(
            rows=pl.len(),
            median=difference.median(),
            p95=difference.quantile(0.95),
            max=difference.max(),
            within_a_bucket=(difference <= BUCKET + 1e-9).mean(),
        )
        .sort(*by, "quantile")
    )


def stored_rows(url: str) -> pl.DataFrame:
    """Return every row of ``requests`` that a warehouse holds, as its own query gives them."""
    known = open_warehouse(url).describe().filter(pl.col("table") == "requests").row(0, named=True)
    start, end = known["first"], known["last"] + timedelta(minutes=1)
    return open_warehouse(url).query("requests/minutes", start=start, end=end)


def lone_hours(url: str, own: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return hours that hold one row alone, as a page reads them, and that row's percentiles.

    Percentiles cannot be pooled, so only such an hour can be compared with what its row says.
    Both frames give the hour as ``minute``.
    """
    minutes = stored_rows(url).with_columns(hour=pl.col("minute").dt.truncate("1h"))
    alone = minutes.filter(pl.len().over("service", "endpoint", "hour") == 1)
    start, end = minutes["hour"].min(), minutes["hour"].max()
    hours = (
        open_warehouse(url)
        .query("latency/hours", start=start, end=end + timedelta(hours=1))
        .join(alone, on=["service", "endpoint", "hour"], how="semi")
        .rename({"hour": "minute"})
    )
    theirs = own.join(alone.select(_KEYS), on=_KEYS, how="semi").with_columns(
        pl.col("minute").dt.truncate("1h")
    )
    return hours, theirs
