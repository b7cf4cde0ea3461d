"""Objectives, their minutes and stretches, made by hand."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from fleetslo.periods import Period
from fleetslo.reliability.counts import Counted, Stretch
from fleetslo.reliability.judging import Asked, counted_of
from fleetslo.reliability.objectives import Objective, Selector
from fleetslo.reliability.windows import RollingWindow

START = datetime(2026, 10, 4, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DAYS = 28
WINDOW = timedelta(days=DAYS)


def objective(name: str = "availability", target: float = 0.999, **given: Any) -> Objective:
    """Return an objective of checkout; by occurrences over 28 days unless told otherwise."""
    values: dict[str, Any] = {
        "display_name": None,
        "service": "checkout",
        "selector": Selector(requests="all"),
        "window": RollingWindow(WINDOW),
        "method": "Occurrences",
        "labels": {},
        "annotations": {},
        "source": "test",
        "for_condition": None,
        **given,
    }
    values.setdefault("document", f"{values['service']}-{name}")
    return Objective(name=f"{values['service']}-{name}", target=target, **values)


def sliced(
    name: str = "slices",
    target: float = 0.99,
    slice_target: float | None = 0.95,
    length: timedelta = 5 * MINUTE,
    **given: Any,
) -> Objective:
    """Return an objective of Timeslices, of five minutes unless told otherwise."""
    given = {"method": "Timeslices", **given}
    return objective(name, target, slice_target=slice_target, slice_length=length, **given)


def ratios(name: str = "ratios", target: float = 0.99, **given: Any) -> Objective:
    """Return an objective of RatioTimeslices."""
    return sliced(name, target, None, method="RatioTimeslices", **given)


def minutes(
    rows: Iterable[tuple[int, int, int] | tuple[int, int, int, int]], one: Objective | None = None
) -> pl.DataFrame:
    """Return rows of ``slo/minutes`` from (minute after START, good, valid[, uncertain])."""
    one = one or objective()
    listed = [(row[0], row[1], row[2], row[3] if len(row) > 3 else 0) for row in rows]
    return pl.DataFrame(
        {
            "service": [one.service] * len(listed),
            "objective": [one.name] * len(listed),
            "definition": [one.selector.definition] * len(listed),
            "minute": [START + row[0] * MINUTE for row in listed],
            "good_count": [row[1] for row in listed],
            "valid_count": [row[2] for row in listed],
            "uncertain_count": [row[3] for row in listed],
        },
        schema={
            "service": pl.String,
            "objective": pl.String,
            "definition": pl.String,
            "minute": pl.Datetime("us", "UTC"),
            "good_count": pl.Int64,
            "valid_count": pl.Int64,
            "uncertain_count": pl.Int64,
        },
    )


def span(first: int, last: int) -> Period:
    """Return the period between two minutes after START."""
    return Period(START + first * MINUTE, START + last * MINUTE)


def stretch(length: int, until: int | None = None, *excluded: Period) -> Stretch:
    """Return the stretch from START of so many minutes, counted up to a minute of it."""
    end = START + length * MINUTE
    return Stretch(START, end, end if until is None else START + until * MINUTE, excluded)


def asked(one: Objective, of: Stretch | None = None) -> Asked:
    """Return an objective to be judged over 28 days from START, or over a stretch."""
    of = of or stretch(DAYS * 1440)
    parts = tuple(of for _ in counted_of(one))
    return Asked(one, Period(of.start, of.end), of, parts)


def counted(
    good: int, valid: int, uncertain: int = 0, *, coverage: float = 1.0, **given: Any
) -> Counted:
    """Return counts of a window of 10,000 minutes that has ended."""
    values: Mapping[str, Any] = {"whole": valid, **given}
    return Counted(good, valid, uncertain, round(coverage * 10_000), 10_000, **values)
