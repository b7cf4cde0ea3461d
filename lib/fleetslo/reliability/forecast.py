"""When a budget will be gone at the present burn, and which burn it can afford.

Ahead of ``until`` the traffic is expected to be that of the same hours of the week (UTC), and the
share of it that is bad stays what it was lately. From a rolling window the old hours leave as it
moves; in a calendar window they stay until its end. Source of burn and budget: SRE Workbook,
chapter 5; of the interval: Efron and Tibshirani, An Introduction to the Bootstrap, chapter 8.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from fleetslo.errors import ParameterError
from fleetslo.reliability.intervals import LEAST_BLOCKS, block_bootstrap
from fleetslo.reliability.outlook import NOTHING, Ahead, Numbers, Past
from fleetslo.reliability.windows import RollingWindow, Window

_PATH: dict[str, pl.DataType] = {
    "at": pl.Datetime("us", "UTC"),
    **dict.fromkeys(("budget_left", "low", "high"), pl.Float64()),
}
_MOST_STEPS = 240
"""Instants of the path ahead: enough for a line that is drawn over a page's width."""


@dataclass(frozen=True)
class Forecast:
    """What becomes of a budget at the present burn.

    Attributes:
        horizon: as far as is looked ahead: by one rolling window, to the end of a calendar one.
        burn: of the recent hours; 1.0 spends exactly the budget over a whole window. None without
            traffic, or without a budget.
        burn_low: lower bound of the burn; None where there are too few hours.
        burn_high: upper bound, likewise.
        gone_at: when all of the budget is spent at this burn; in the past when it is already, the
            instant at which the bad ones of the window reached it. None is not before the horizon.
        gone_low: the earliest that it may be gone; None where ``gone_at`` is None and no earlier
            instant is likely, or where there are too few hours.
        gone_high: the latest; None is not before the horizon, or too few hours.
        gone_chance: the share of draws in which it is gone before the horizon; None for too few
            hours.
        affordable_burn: the largest constant burn that keeps within the budget up to the horizon;
            0 when it is overspent, None where no traffic is expected.
        recovers_at: when an overspent rolling window is within its budget again, at this burn;
            None where it is not overspent, or not before the horizon.
        path: the share of the budget left ahead at this burn: ``at, budget_left, low, high``, with
            the bounds null where there are too few hours; empty where nothing is expected.
    """

    horizon: datetime
    burn: float | None = None
    burn_low: float | None = None
    burn_high: float | None = None
    gone_at: datetime | None = None
    gone_low: datetime | None = None
    gone_high: datetime | None = None
    gone_chance: float | None = None
    affordable_burn: float | None = None
    recovers_at: datetime | None = None
    path: pl.DataFrame = field(
        default_factory=lambda: pl.DataFrame(schema=_PATH), compare=False, repr=False
    )


def forecast(
    hours: pl.DataFrame,
    budget_count: float,
    window: Window,
    until: datetime,
    *,
    recent: timedelta = timedelta(hours=24),
    resamples: int = 500,
    seed: int = 1,
    confidence: float = 0.9,
) -> Forecast:
    """Return when an objective's budget is gone, and which burn it can afford.

    Args:
        hours: rows of ``hour, valid_count, bad_count`` as ``history.spent_by_hour`` returns them,
            null where nothing reported; those after ``until`` are not looked at. They hold the
            window's hours so far, and may begin earlier: what came then counts for the burn and
            for the traffic ahead, not for the budget.
        budget_count: how many may be bad in the whole window; of one that runs, as expected.
        window: the objective's.
        until: as far as was counted.
        recent: the hours whose burn is the present one.
        resamples: how many futures are drawn. Each draws the recent hours anew, and from those its
            hours to come, with a chance as large as their traffic.
        seed: of the draws, so that a rerun gives the same.
        confidence: the share of draws that the intervals hold.

    Raises:
        ParameterError: no recent time.
    """
    if recent <= timedelta(0):
        raise ParameterError(f"the last {recent} hold no hours; give 24 hours")
    whole = window.at(until)
    horizon = until + window.length if isinstance(window, RollingWindow) else whole.end
    past = Past.of(hours, until, whole)
    if budget_count <= 0 or not past.valid_since(whole.start):
        return Forecast(horizon)
    ahead = Ahead.of(past, budget_count, window, horizon)
    lately = (past.starts >= -recent.total_seconds()) & (past.valid > 0)
    blocks = np.stack([past.bad[lately], past.valid[lately]], axis=1)
    burn = block_bootstrap(
        blocks,
        lambda sums: sums[:, 0] / sums[:, 1] / ahead.share,
        resamples=resamples,
        seed=seed,
        confidence=confidence,
    )
    found = Forecast(horizon, affordable_burn=ahead.affordable())
    if burn is not None:
        found = replace(found, burn=burn.value, burn_low=burn.low, burn_high=burn.high)
    futures = None
    if burn is not None and len(ahead.times):
        steady = burn.value * ahead.share * ahead.valid_by[None, :]
        if len(blocks) >= LEAST_BLOCKS:
            futures = ahead.futures(blocks, resamples, seed)
        found = replace(found, path=_path(ahead, steady, futures, until, budget_count, confidence))
    if ahead.left_now <= NOTHING * budget_count:
        went = past.reached(budget_count, whole.start)
        found = replace(found, gone_at=went, gone_low=went, gone_high=went, gone_chance=1.0)
        if burn is not None and ahead.left_now < 0 and isinstance(window, RollingWindow):
            back = ahead.recovers(burn.value)
            return replace(found, recovers_at=_instant(back, until))
        return found
    if burn is None or not len(ahead.times):
        return found
    gone = ahead.gone(steady)[0]
    found = replace(found, gone_at=_instant(gone, until))
    if futures is None:
        return found
    draws = np.sort(ahead.gone(futures))
    beyond = int(resamples * (1 - confidence) / 2)
    # The value lies in its interval, also where few hours make the draws lopsided.
    low, high = min(draws[beyond], gone), max(draws[resamples - 1 - beyond], gone)
    return replace(
        found,
        gone_low=_instant(low, until),
        gone_high=_instant(high, until),
        gone_chance=float(np.isfinite(draws).mean()),
    )


def _path(
    ahead: Ahead,
    steady: Numbers,
    futures: Numbers | None,
    until: datetime,
    budget_count: float,
    confidence: float,
) -> pl.DataFrame:
    """Return what is left at some instants ahead, and between which shares most futures lie."""
    count = len(ahead.times)
    places = np.unique(np.linspace(0, count - 1, min(count, _MOST_STEPS)).astype(int))
    line = ahead.share_left(steady)[0, places]
    low = high = np.full(len(places), np.nan)
    if futures is not None:
        edges = [(1 - confidence) / 2, (1 + confidence) / 2]
        low, high = np.quantile(ahead.share_left(futures)[:, places], edges, axis=0)
    at = [until, *(until + timedelta(seconds=float(step)) for step in ahead.times[places])]
    now = ahead.left_now / budget_count
    frame = pl.DataFrame(
        {
            "at": at,
            "budget_left": [now, *line],
            "low": [now, *np.minimum(low, line)],
            "high": [now, *np.maximum(high, line)],
        },
        schema=_PATH,
    )
    return frame.with_columns(pl.col("budget_left", "low", "high").fill_nan(None))


def _instant(seconds: float, until: datetime) -> datetime | None:
    return until + timedelta(seconds=float(seconds)) if np.isfinite(seconds) else None
