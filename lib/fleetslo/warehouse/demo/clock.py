"""The demo fleet's calendar, sizes and regions.

The demo counts time in whole minutes since ``ORIGIN``, 180 days before the fixed instant at
which the fleet ends, and turns them into UTC datetimes only where rows are written.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
from numpy.typing import NDArray

# What an array holds is said by its name; NumPy's own types do not survive arithmetic.
Floats = NDArray[Any]
Ints = NDArray[Any]
Bools = NDArray[Any]

HISTORY_DAYS = 180
DAY = 1440
END = datetime(2026, 11, 1, tzinfo=UTC)
ORIGIN = END - timedelta(days=HISTORY_DAYS)
LENGTH = HISTORY_DAYS * DAY

# Budgets are counted over 28 days; the story is told in shares of that budget.
WINDOW = 28 * DAY


@dataclass(frozen=True)
class Size:
    """How large a fleet is, and how far back each table reaches, in days.

    ``calls`` is that of the minutes of calls, which are many and asked for least. ``groups`` is how
    many parts the services are made in; each part is one file per partition.
    """

    services: int
    minutes: int
    calls: int
    slo_minutes: int
    hours: int
    days: int
    groups: int


# slo_minutes: a 3-day alert window is warm at the start of 28 days; where the fleet is small, of
# the 28 days before them, too, so that a report can say what changed. hours: a period before this
# one. Groups bound the memory: about 85 services of the large fleet are held at once.
SIZES = {
    "tiny": Size(services=4, minutes=2, calls=1, slo_minutes=31, hours=35, days=42, groups=2),
    "small": Size(services=24, minutes=14, calls=4, slo_minutes=62, hours=56, days=180, groups=2),
    "medium": Size(services=200, minutes=8, calls=2, slo_minutes=38, hours=56, days=180, groups=4),
    "large": Size(services=1000, minutes=3, calls=1, slo_minutes=38, hours=56, days=180, groups=12),
}

# Where the requests of a region come from, which sets when its day begins and ends, and how many
# 1/16 octaves slower it answers than the first.
REGIONS = {
    "europe-west1": ("Europe/Stockholm", 0.0),
    "us-central1": ("America/Chicago", 1.0),
    "asia-southeast1": ("Asia/Singapore", 4.0),
    "southamerica-east1": ("America/Sao_Paulo", 5.5),
}


def minute_of(moment: datetime) -> int:
    """Return the minutes from ORIGIN to an instant."""
    return int((moment - ORIGIN) // timedelta(minutes=1))


def at(text: str) -> int:
    """Return the minutes from ORIGIN to a UTC time written as ``10-22 13:42``, in 2026."""
    return minute_of(datetime.fromisoformat(f"2026-{text}").replace(tzinfo=UTC))


def moment(minute: float) -> datetime:
    """Return the instant, to the second, that lies so many minutes after ORIGIN."""
    return ORIGIN + timedelta(seconds=round(minute * 60))


def day_of(minute: int) -> date:
    """Return the UTC day that a minute lies in."""
    return moment(minute).date()


def times(minutes: Ints) -> pl.Series:
    """Return minutes since ORIGIN as a series of UTC instants."""
    start_us = int(ORIGIN.timestamp()) * 1_000_000
    return pl.Series(minutes.astype(np.int64) * 60_000_000 + start_us).cast(
        pl.Datetime("us", "UTC")
    )


@lru_cache(maxsize=32)
def utc_offsets(zone: str) -> Ints:
    """Return a zone's offset from UTC in minutes, for each hour of the history."""
    info = ZoneInfo(zone)
    offsets = []
    for hour in range(HISTORY_DAYS * 24):
        offset = (ORIGIN + timedelta(hours=hour)).astimezone(info).utcoffset()
        offsets.append(0 if offset is None else int(offset.total_seconds() // 60))
    return np.array(offsets, dtype=np.int32)


def local_minute(minute: int, zone: str) -> int:
    """Return the minute of the local week (0 is Monday midnight) at a minute of the history."""
    hour = min(max(minute // 60, 0), HISTORY_DAYS * 24 - 1)
    local = minute + int(utc_offsets(zone)[hour]) + ORIGIN.weekday() * DAY
    return local % (7 * DAY)
