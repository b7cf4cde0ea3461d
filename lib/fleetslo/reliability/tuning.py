"""What target the past supports: every window that the data holds, held against every target.

Frames of counts have one row per stretch (a minute, an hour or a day) with its start in ``at`` and
``good_count, valid_count, uncertain_count, covered_minutes``; the grain does not matter as long as
windows begin and end on it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from statistics import median
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fleetslo.periods import Period
from fleetslo.reliability.budgets import budget_share
from fleetslo.reliability.windows import RollingWindow, Window

Fit = Literal["too_tight", "too_loose", "fits", "unknown"]

_DAY = timedelta(days=1)
_MINUTE = timedelta(minutes=1)
_COUNTS = ("good_count", "valid_count", "uncertain_count", "covered_minutes")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

LOOSE_SPENT = 0.25
"""A quarter of the budget would always have done: a target four times as strict was always met."""

# Targets as people write them: 90, 95, 97, 98, 99, 99.5 … 99.999 %.
_STEPS = ("5", "3", "2", "1")
_LOOSEST_SHOWN = 0.9
_NEVER_MET_SHOWN = 2

LADDER: tuple[float, ...] = (
    0.5,
    0.7,
    0.8,
    0.9,
    *(
        float(1 - Decimal(step).scaleb(-places))
        for places in range(2, 6)  # five nines: 24 seconds of outage in 28 days
        for step in _STEPS
    ),
)
"""The targets that are tried, from the loosest to the tightest."""


def whole_windows(window: Window, history: Period) -> list[Period]:
    """Return the windows of an objective that lie wholly in a stretch of time, in order.

    Of a rolling window there is one for every midnight (UTC) on which it may end; of one shorter
    than a day they follow each other. Calendar windows are those of the calendar.
    """
    if not isinstance(window, RollingWindow):
        return [
            one
            for one in window.between(history)
            if one.start >= history.start and one.end <= history.end
        ]
    step = min(_DAY, window.length)
    last = history.end - (history.end - _EPOCH) % step
    count = max(0, (last - window.length - history.start) // step + 1)
    return [window.at(last - place * step) for place in reversed(range(count))]


def past(
    counts: pl.DataFrame, windows: Sequence[Period], *, coverage_minimum: float = 0.9
) -> pl.DataFrame:
    """Return one row per window: what it counted, and whether that can be judged.

    A window of which no minute is covered, from before the data begins as a rule, is no row.
    Columns: ``start, end, good_count, valid_count, uncertain_count, coverage, sli_low, sli_high``
    (the uncertain ones as bad, as good; null without any valid) and ``is_judged``: there was
    something to count, and the least coverage is reached.
    """
    known = counts.sort("at")
    starts, ends = (_micros(one.start for one in windows), _micros(one.end for one in windows))
    at = known["at"].dt.epoch("us").to_numpy()
    first, last = np.searchsorted(at, starts), np.searchsorted(at, ends)
    sums = {}
    for name in _COUNTS:
        running = np.concatenate(([0], np.cumsum(known[name].fill_null(0).to_numpy())))
        sums[name] = running[last] - running[first]
    minutes = np.array([(one.end - one.start) / _MINUTE for one in windows])
    valid = pl.col("valid_count")
    return (
        pl.DataFrame(sums, schema={name: known.schema[name] for name in _COUNTS})
        .with_columns(
            start=_instants(starts),
            end=_instants(ends),
            coverage=(pl.col("covered_minutes") / pl.Series(minutes, dtype=pl.Float64)).clip(0, 1),
            sli_low=pl.when(valid > 0).then(pl.col("good_count") / valid),
            sli_high=pl.when(valid > 0).then(
                (pl.col("good_count") + pl.col("uncertain_count")) / valid
            ),
        )
        .with_columns(is_judged=(valid > 0) & (pl.col("coverage") >= coverage_minimum))
        .filter(pl.col("covered_minutes") > 0)
        .select("start", "end", *_COUNTS[:3], "coverage", "sli_low", "sli_high", "is_judged")
    )


def met_by_target(windows: pl.DataFrame, targets: Sequence[float] = LADDER) -> pl.DataFrame:
    """Return one row per target: how many judged windows met it.

    Columns: ``target, window_count, met_count`` (even with every uncertain one bad),
    ``missed_count`` (even with every one good) and ``unsure_count``: neither, or with a budget of
    less than one request. The three add up. Counts are compared exactly: a window met to the last
    request is met.

    Args:
        windows: what ``past`` returned.
        targets: each in [0, 1).
    """
    judged = windows.filter("is_judged")
    rows = judged.select("good_count", "valid_count", "uncertain_count").rows()
    found = []
    for target in targets:
        share = budget_share(target)
        allowed, of = share.numerator, share.denominator
        told = [row for row in rows if allowed * row[1] >= of]
        met = sum((valid - good) * of <= allowed * valid for good, valid, _ in told)
        missed = sum((valid - good - maybe) * of > allowed * valid for good, valid, maybe in told)
        found.append((target, len(rows), met, missed, len(rows) - met - missed))
    names = ["target", "window_count", "met_count", "missed_count", "unsure_count"]
    types = {"target": pl.Float64} | dict.fromkeys(names[1:], pl.Int64)
    return pl.DataFrame(found, schema=types, orient="row")


def worth_showing(best: float | None, always: Iterable[float]) -> list[float]:
    """Return the targets worth a row: from 90 % on to the first two that were never met.

    Args:
        best: the best SLI of any window; None where none could be judged.
        always: targets to show in any case.
    """
    reach = [one for one in LADDER if one >= _LOOSEST_SHOWN]
    met = sum(best is not None and one <= best for one in reach)
    return sorted({*reach[: met + _NEVER_MET_SHOWN], *always})


@dataclass(frozen=True)
class Support:
    """What the judged windows of the past say of an objective.

    Attributes:
        window_count: how many could be judged; everything else is None where none could.
        worst, typical, best: SLI of the worst, the median and the best window, every uncertain
            request counted as bad.
        always_met: the tightest target of the ladder that every window met for certain.
        ever_missed: the loosest target of the ladder that some window missed for certain.
    """

    window_count: int
    worst: float | None = None
    typical: float | None = None
    best: float | None = None
    always_met: float | None = None
    ever_missed: float | None = None


def supported(windows: pl.DataFrame, targets: Sequence[float] = LADDER) -> Support:
    """Return what target the past supports.

    Args:
        windows: what ``past`` returned.
        targets: those to choose from.
    """
    judged = windows.filter("is_judged")
    if judged.is_empty():
        return Support(0)
    low = judged["sli_low"].to_list()
    tried = met_by_target(judged, targets)
    always = tried.filter(pl.col("met_count") == pl.col("window_count"))["target"].to_list()
    missed = tried.filter(pl.col("missed_count") > 0)["target"].to_list()
    return Support(
        judged.height,
        min(low),
        median(low),
        max(low),
        max(always, default=None),
        min(missed, default=None),
    )


def fit(windows: pl.DataFrame, target: float) -> tuple[Fit, dict[str, float | int | None]]:
    """Return whether a target fits the past, and the numbers that say so.

    ``too_tight`` is missed in every judged window. ``too_loose`` is never missed, and no window
    spent more than a quarter of
    the budget. ``unknown`` has no window that can be judged, or none
    with a budget of a whole request.

    Returns:
        The fit, and ``window_count, met_count, missed_count, unsure_count, worst_spent`` (the
        greatest share of its own budget that a window spent).
    """
    judged = windows.filter("is_judged")
    share = budget_share(target)
    counted = met_by_target(judged, [target]).row(0, named=True)
    found = [
        ((valid - good) / (float(share) * valid), share * Fraction(valid))
        for good, valid in judged.select("good_count", "valid_count").iter_rows()
    ]
    spent = max((one for one, _ in found), default=None)
    numbers = {**counted, "worst_spent": spent}
    del numbers["target"]
    if spent is None or max(budget for _, budget in found) < 1:
        return "unknown", numbers
    if counted["missed_count"] == counted["window_count"]:
        return "too_tight", numbers
    return ("too_loose" if spent <= LOOSE_SPENT else "fits"), numbers


def _micros(moments: Iterable[datetime]) -> NDArray[np.int64]:
    found = [(one - _EPOCH) // timedelta(microseconds=1) for one in moments]
    return np.array(found, dtype=np.int64)


def _instants(micros: NDArray[np.int64]) -> pl.Series:
    return pl.Series(micros, dtype=pl.Int64).cast(pl.Datetime("us", "UTC"))
