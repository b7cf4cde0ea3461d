"""Hours of requests and errors made by hand."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from fleetslo.reliability.failing.clumping import Stretch

START = datetime(2026, 10, 4, tzinfo=UTC)
HOUR = timedelta(hours=1)
_PLACE = {"service": "shop", "endpoint": "GET /", "region": "eu", "version": "1"}
_SERIES = dict.fromkeys(_PLACE, pl.String)
_TIME = pl.Datetime("us", "UTC")
REQUESTS_SCHEMA = {**_SERIES, "hour": _TIME, "request_count": pl.Int64, "error_count": pl.Int64}
ERRORS_SCHEMA = {
    **_SERIES,
    "error": pl.String,
    "upstream": pl.String,
    "is_fault": pl.Boolean,
    "hour": _TIME,
    "error_count": pl.Int64,
}


def requests(counts: Sequence[int | None], first: datetime = START, **place: Any) -> pl.DataFrame:
    """Return rows as of ``requests/hours``, one hour after the other; None is no row."""
    rows = [
        {**_PLACE, "error_count": 0, **place, "hour": first + i * HOUR, "request_count": count}
        for i, count in enumerate(counts)
        if count is not None
    ]
    return pl.DataFrame(rows, schema=REQUESTS_SCHEMA)


def errors(counts: Sequence[int], first: datetime = START, **about: Any) -> pl.DataFrame:
    """Return rows as of ``errors/hours``, one hour after the other; 0 is no row."""
    fixed = {**_PLACE, "error": "500", "upstream": None, "is_fault": True, **about}
    rows = [
        {**fixed, "hour": first + i * HOUR, "error_count": count}
        for i, count in enumerate(counts)
        if count
    ]
    return pl.DataFrame(rows, schema=ERRORS_SCHEMA)


def stretch(*kinds: Sequence[int], served: Sequence[int], first: datetime = START) -> Stretch:
    """Return a stretch with errors "500", "501", … of these counts per hour."""
    found = [errors(counts, first, error=f"{500 + i}") for i, counts in enumerate(kinds)]
    return Stretch(pl.concat([errors([]), *found]), requests(served, first))
