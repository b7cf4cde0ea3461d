"""Hours of latency made by hand: lognormal durations with a known median and spread."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from fleetslo.reliability import latency

START = datetime(2026, 10, 4, tzinfo=UTC)
HOURS_SCHEMA = {
    "service": pl.String,
    "endpoint": pl.String,
    "region": pl.String,
    "version": pl.String,
    "hour": pl.Datetime("us", "UTC"),
    "request_count": pl.Int64,
    "error_count": pl.Int64,
    "duration_sum_s": pl.Float64,
    "latency": latency.HISTOGRAM,
    "quality": pl.String,
}


def always(_: datetime) -> float:
    """Return 1 whatever the hour."""
    return 1.0


def hours(
    days: float = 28,
    *,
    median_s: float = 0.04,
    spread: float = 0.6,
    slower: Callable[[datetime], float] = always,
    missing: Callable[[datetime], bool] = lambda _: False,
    per_hour: int = 2000,
    endpoints: Sequence[str] = ("GET /cart",),
    regions: Sequence[str] = ("eu",),
    version: Callable[[datetime], str] = lambda _: "1.0.0",
    start: datetime = START,
    seed: int = 1,
) -> pl.DataFrame:
    """Return rows as ``latency/hours`` does; every fiftieth request is a fault."""
    draw = np.random.default_rng(seed)
    rows = []
    for position in range(int(days * 24)):
        hour = start + timedelta(hours=position)
        if missing(hour):
            continue
        for endpoint in endpoints:
            for region in regions:
                count = int(per_hour * (1 + 0.6 * np.sin((hour.hour - 9) / 24 * 2 * np.pi)))
                faults = count // 50
                times = median_s * slower(hour) * np.exp(draw.normal(0, spread, count - faults))
                buckets, counts = np.unique(latency.buckets_of(times), return_counts=True)
                rows.append(
                    {
                        "service": "checkout",
                        "endpoint": endpoint,
                        "region": region,
                        "version": version(hour),
                        "hour": hour,
                        "request_count": count,
                        "error_count": faults,
                        "duration_sum_s": float(times.sum()),
                        "latency": [
                            {"bucket": int(b), "count": int(c)}
                            for b, c in zip(buckets, counts, strict=True)
                        ],
                        "quality": "exact",
                    }
                )
    return pl.DataFrame(rows, schema=HOURS_SCHEMA)
