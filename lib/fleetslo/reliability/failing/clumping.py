"""How clumped errors come: how much more their counts vary from block to block than chance has it.

Sources: McCullagh and Nelder, Generalized Linear Models, 2nd ed., section 4.5 (over-dispersion
from Pearson's statistic).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from fleetslo.reliability.intervals import LEAST_BLOCKS

PLACES = ("endpoint", "region", "version")
"""Dimensions of errors that requests have as well."""


@dataclass(frozen=True)
class Stretch:
    """What happened over a stretch of time.

    Attributes:
        errors: rows as of ``errors/hours``.
        requests: rows as of ``requests/hours``, of everything that could have failed.
    """

    errors: pl.DataFrame
    requests: pl.DataFrame


def places_of(keys: Sequence[str]) -> list[str]:
    """Return those of the keys that choose requests as well as errors."""
    return [key for key in keys if key in PLACES]


def _total(requests: pl.DataFrame, keys: Sequence[str], name: str) -> pl.DataFrame:
    """Return requests per combination of keys; one row where there are no keys."""
    counted = pl.col("request_count").sum().alias(name)
    return requests.group_by(keys).agg(counted) if keys else requests.select(counted)


def per_place(rows: pl.DataFrame, requests: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """Return rows with what their requests have; one row of requests is for all of them."""
    if not keys:
        return rows.join(requests, how="cross")
    return rows.join(requests, on=keys, how="left", nulls_equal=True)


def with_requests(
    rows: pl.DataFrame, stretch: Stretch, keys: Sequence[str], name: str
) -> pl.DataFrame:
    """Return rows with the count of requests that could have failed so; 0 without any."""
    places = places_of(keys)
    return per_place(rows, _total(stretch.requests, places, name), places).with_columns(
        pl.col(name).fill_null(0)
    )


def clumping(stretch: Stretch, keys: Sequence[str]) -> pl.DataFrame:
    """Return how clumped the errors of each combination of keys came, where there are any.

    Columns: the keys, ``clumping`` (1 is as chance has it; null with too few blocks of time) and
    ``freedom``, the degrees of freedom that it rests on. Of hours and days the one that finds
    more is taken: errors that last for hours are alike in neighbouring ones.
    """
    hours, days = _over(stretch, keys, "1h", 2), _over(stretch, keys, "1d", LEAST_BLOCKS)
    both = hours.join(days, on=keys, how="left", nulls_equal=True, suffix="_days")
    daily = (pl.col("clumping_days") > pl.col("clumping")).fill_null(value=False)
    return both.select(
        *keys,
        *(
            pl.when(daily).then(pl.col(f"{name}_days")).otherwise(pl.col(name)).alias(name)
            for name in ("clumping", "freedom")
        ),
    )


def _over(stretch: Stretch, keys: Sequence[str], every: str, least: int) -> pl.DataFrame:
    """Return Pearson's statistic over its degrees of freedom, of each combination over blocks.

    With e = k n_b / n expected in a block of n_b requests, the sum of (k_b - e)^2 / e is
    (n / k) times the sum of k_b^2 / n_b, less k; blocks without the error need no row.
    It is null where there are fewer than ``least`` blocks.
    """
    places = places_of(keys)
    block = pl.col("hour").dt.truncate(every).alias("block")
    traffic = (
        stretch.requests.group_by(*places, block)
        .agg(block_requests=pl.col("request_count").sum())
        .filter(pl.col("block_requests") > 0)
    )
    blocks = pl.len().alias("blocks"), pl.col("block_requests").sum().alias("all_requests")
    whole = traffic.group_by(places).agg(*blocks) if places else traffic.select(*blocks)
    clumps = (
        stretch.errors.group_by(*keys, block)
        .agg(pl.col("error_count").sum())
        .join(traffic, on=[*places, "block"], how="inner", nulls_equal=True)
        .group_by(keys)
        .agg(
            k=pl.col("error_count").sum(),
            squares=(
                pl.col("error_count").cast(pl.Float64).pow(2) / pl.col("block_requests")
            ).sum(),
        )
        .filter(pl.col("k") > 0)
    )
    statistic = pl.col("squares") * pl.col("all_requests") / pl.col("k") - pl.col("k")
    return per_place(clumps, whole, places).select(
        *keys,
        clumping=pl.when(pl.col("blocks") >= least).then(statistic / (pl.col("blocks") - 1)),
        freedom=pl.col("blocks").cast(pl.Float64) - 1,
    )
