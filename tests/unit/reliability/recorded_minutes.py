"""Objectives and recorded minutes for tests of alerts."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from fleetslo.reliability.openslo.selectors import Selector
from fleetslo.reliability.slo import Objective
from fleetslo.reliability.windows import RollingWindow

MIDNIGHT = datetime(2026, 10, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def an_objective(target: float = 0.999, days: float = 30, **changed: Any) -> Objective:
    """Return an objective of a service, by requests, over a rolling window."""
    given: dict[str, Any] = {
        "name": "checkout-availability",
        "display_name": None,
        "service": "checkout",
        "selector": Selector(),
        "target": target,
        "window": RollingWindow(timedelta(days=days)),
        "method": "Occurrences",
        "labels": {},
        "annotations": {},
        "source": "slo.yaml",
        "for_condition": None,
        "document": "checkout-availability",
    }
    return Objective(**{**given, **changed})


def some_minutes(
    bad: Sequence[int | None],
    valid: int | Sequence[int] = 100,
    start: datetime = MIDNIGHT,
    **keys: str,
) -> pl.DataFrame:
    """Return a row per minute from ``start`` on, with so many bad requests; None is no row."""
    counts = [valid] * len(bad) if isinstance(valid, int) else list(valid)
    rows = [
        (start + place * MINUTE, count - wrong, count)
        for place, (wrong, count) in enumerate(zip(bad, counts, strict=True))
        if wrong is not None
    ]
    frame = pl.DataFrame(
        rows,
        schema={
            "minute": pl.Datetime("us", "UTC"),
            "good_count": pl.Int64,
            "valid_count": pl.Int64,
        },
        orient="row",
    )
    return frame.with_columns(**{key: pl.lit(value) for key, value in keys.items()})


def after(minutes: float, start: datetime = MIDNIGHT) -> datetime:
    """Return the instant so many minutes after the start."""
    return start + minutes * MINUTE
