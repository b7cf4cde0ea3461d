"""When errors came: the stretch of time that holds most of what was more than usual."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import polars as pl

_HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Burst:
    """The stretch of time that holds most of what was more than usual.

    Attributes:
        start: its first hour.
        end: the end of its last hour.
        error_count: all errors inside.
    """

    start: datetime
    end: datetime
    error_count: int


def burst(errors: pl.DataFrame, requests: pl.DataFrame, usual_rate: float) -> Burst | None:
    """Return when errors were most above a rate; None where they never were.

    Of all stretches of hours it is the one whose errors exceed ``usual_rate`` times its requests
    by most (the maximum-sum segment, as CUSUM charts find it: Page, Biometrika 41 (1954) 100-115).

    Args:
        errors: rows with ``hour, error_count``.
        requests: rows with ``hour, request_count``, of everything that could have failed.
        usual_rate: errors per request that are not remarkable.
    """
    hours = (
        requests.group_by("hour")
        .agg(pl.col("request_count").sum())
        .join(
            errors.group_by("hour").agg(pl.col("error_count").sum()),
            on="hour",
            how="full",
            coalesce=True,
        )
        .fill_null(0)
        .sort("hour")
    )
    if hours.is_empty():
        return None
    counts = hours["error_count"].to_numpy()
    above = np.concatenate(
        [[0.0], np.cumsum(counts - usual_rate * hours["request_count"].to_numpy())]
    )
    lowest = np.minimum.accumulate(above)
    last = int(np.argmax(above - lowest))
    if above[last] <= lowest[last]:
        return None
    first = int(np.argmin(above[: last + 1]))
    inside = hours["hour"]
    return Burst(inside[first], inside[last - 1] + _HOUR, int(counts[first:last].sum()))
