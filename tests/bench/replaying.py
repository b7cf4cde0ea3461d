"""A fleet's minutes for the replay of alerts, and the rolling sums that a replay cannot do without.

As a program of its own it replays once and says how long that took, what it found and the most
memory it held: ``python -m tests.bench.replaying``.
"""

import json
import resource
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from fleetslo.reliability.openslo.selectors import Selector
from fleetslo.reliability.replaying.replay import replay
from fleetslo.reliability.slo import Objective
from fleetslo.reliability.windows import RollingWindow

SERVICES = 1000
DAYS = 28
LENGTHS = (5, 30, 60, 120, 360, 1440, 4320)
"""The distinct windows of the workbook policy, in minutes."""

OBJECTIVE = Objective(
    name="availability",
    display_name=None,
    service="any",
    selector=Selector(),
    target=0.999,
    window=RollingWindow(timedelta(days=DAYS)),
    method="Occurrences",
    labels={},
    annotations={},
    source="bench",
    for_condition=None,
    document="availability",
)


def fleet_minutes(services: int = SERVICES, days: int = DAYS) -> pl.DataFrame:
    """Return a row per service and minute, as ``slo/minutes`` answers.

    Traffic follows the day, one request in 4,000 is bad, and each service fails a tenth of its
    requests for an hour and half of them for five minutes, somewhere.
    """
    count = days * 1440
    rng = np.random.default_rng(7)
    day = 1000 + 600 * np.sin(np.arange(count) / 1440 * 2 * np.pi)
    valid = np.tile(day.astype(np.int64), services)
    bad = rng.poisson(0.25, services * count)
    for service in range(services):
        for share, length in ((10, 60), (2, 5)):
            begin = service * count + int(rng.integers(0, count - length))
            bad[begin : begin + length] += valid[begin : begin + length] // share
    start = datetime(2026, 10, 4, tzinfo=UTC)
    end = start + timedelta(days=days)
    minutes = pl.datetime_range(start, end, "1m", closed="left", eager=True).to_numpy()
    names = pl.Series("service", [f"service-{place:04}" for place in range(services)])
    good = valid - bad
    del bad
    return pl.DataFrame(
        {
            "service": names.gather(np.repeat(np.arange(services, dtype=np.uint32), count)),
            "minute": pl.Series(np.tile(minutes, services)).dt.replace_time_zone("UTC"),
            "good_count": good,
            "valid_count": valid,
            "uncertain_count": np.zeros(len(good), np.int64),
        }
    )


def replayed(minutes: pl.DataFrame) -> pl.DataFrame:
    """Return what the workbook policy would have done over these minutes."""
    return replay(minutes, OBJECTIVE, "workbook")


def bare_sums(minutes: pl.DataFrame, services: int = SERVICES) -> None:
    """Sum bad and valid requests over every window of every service, and keep nothing.

    Service by service, so that no window reaches into another service and memory stays small;
    Polars sums the windows of a service on all cores.
    """
    count = minutes.height // services
    bad = pl.col("valid_count") - pl.col("good_count") - pl.col("uncertain_count")
    sums = [
        counted.rolling_sum(length, min_samples=1).alias(f"{name}_{length}")
        for name, counted in (("bad", bad), ("valid", pl.col("valid_count")))
        for length in LENGTHS
    ]
    for start in range(0, minutes.height, count):
        minutes.slice(start, count).select(sums)


def once() -> dict[str, Any]:
    """Replay the fleet once; return the time it took, the alerts and the most memory held."""
    minutes = fleet_minutes()
    began = time.perf_counter()
    alerts = replayed(minutes)
    took_s = time.perf_counter() - began
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {
        "rows": minutes.height,
        "took_s": took_s,
        "alerts": alerts.height,
        "peak_bytes": held,
    }


if __name__ == "__main__":
    json.dump(once(), sys.stdout)
