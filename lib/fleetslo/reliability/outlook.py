"""A budget's past and its time to come, as sums that run straight from one instant to the next.

All times are seconds from the instant up to which was counted, so those of the past are negative.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fleetslo.periods import Period
from fleetslo.reliability.windows import RollingWindow, Window

Numbers = NDArray[np.float64]

NOTHING = 1e-9
"""Sums are floats: of a budget no more than this share of which is left, nothing is left."""

_HOUR_S = 3600
_WEEK_HOURS = 168


@dataclass(frozen=True)
class Past:
    """What was counted.

    Attributes:
        until: the instant up to which it was.
        hours: the hours of the epoch that have data.
        starts: when each begins.
        ends: when each ends.
        valid: their counts.
        bad: their counts.
        edges: all starts and ends.
        valid_by: valid ones up to each edge.
        bad_by: bad ones up to each edge.
    """

    until: datetime

    hours: NDArray[np.int64]
    starts: Numbers
    ends: Numbers
    valid: Numbers
    bad: Numbers
    edges: Numbers
    valid_by: Numbers
    bad_by: Numbers

    @classmethod
    def of(cls, hours: pl.DataFrame, until: datetime, window: Period) -> "Past":
        """Return the past of rows of ``hour, valid_count, bad_count``."""
        known = hours.filter(pl.col("valid_count").is_not_null(), pl.col("hour") < until)
        known = known.sort("hour")
        stamps = known["hour"].dt.epoch("s").to_numpy()
        starts = stamps - until.timestamp()
        ends = np.minimum(starts + _HOUR_S, 0.0)
        first = (window.start - until).total_seconds()
        if len(starts) and starts[0] < first < ends[0]:
            starts[0] = first  # nothing was asked for before the window
        valid, bad = (
            known[key].cast(pl.Float64).to_numpy() for key in ("valid_count", "bad_count")
        )
        return cls(
            until=until,
            hours=stamps // _HOUR_S,
            starts=starts,
            ends=ends,
            valid=valid,
            bad=bad,
            edges=np.stack([starts, ends], axis=1).ravel(),
            valid_by=np.cumsum(np.stack([np.zeros(len(valid)), valid], axis=1).ravel()),
            bad_by=np.cumsum(np.stack([np.zeros(len(bad)), bad], axis=1).ravel()),
        )

    def since(self, sums: Numbers, times: Numbers) -> Numbers:
        """Return how much of ``valid_by`` or ``bad_by`` came after each of these times."""
        if not len(sums):
            return np.zeros(len(times))
        return np.asarray(sums[-1] - np.interp(times, self.edges, sums, left=0.0))

    def valid_since(self, start: datetime) -> float:
        """Return how many valid ones came since an instant."""
        return float(self.since(self.valid_by, self._time(start))[0])

    def bad_since(self, start: datetime) -> float:
        """Return how many bad ones came since an instant."""
        return float(self.since(self.bad_by, self._time(start))[0])

    def reached(self, budget_count: float, start: datetime) -> datetime:
        """Return when the bad ones since ``start`` came to a budget, which they did."""
        first = self._time(start)
        times = np.append(first, self.edges[self.edges > first])
        bad_by = self.bad_since(start) - self.since(self.bad_by, times)
        place = int(np.argmax(bad_by >= budget_count * (1 - NOTHING)))
        step = bad_by[place] - bad_by[place - 1]
        share = min((budget_count - bad_by[place - 1]) / step, 1.0)
        seconds = times[place - 1] + share * (times[place] - times[place - 1])
        return self.until + timedelta(seconds=float(seconds))

    def _time(self, moment: datetime) -> Numbers:
        return np.array([(moment - self.until).total_seconds()])

    def rates(self, hours: NDArray[np.int64]) -> Numbers:
        """Return the valid ones a second of these hours, from the same hours of the week."""
        length = self.ends - self.starts
        slots = self.hours % _WEEK_HOURS
        seen = np.bincount(slots, length, _WEEK_HOURS)
        sums = np.bincount(slots, self.valid, _WEEK_HOURS)
        mean = np.full(_WEEK_HOURS, self.valid.sum() / length.sum())
        by_slot: Numbers = np.divide(sums, seen, out=mean, where=seen > 0)
        return by_slot[hours % _WEEK_HOURS]


@dataclass(frozen=True)
class Ahead:
    """What is to come, at the instants between which everything runs straight.

    Attributes:
        times: each over 0.
        hours: the hour of the epoch in which the stretch up to each of them lies.
        valid: expected in that stretch.
        valid_by: expected up to each.
        left: what would be left of the budget at each if nothing bad came.
        budget: all of it at each; a rolling one grows and shrinks with its traffic.
        left_now: what is left now.
        share: the share of valid ones that may be bad.
    """

    times: Numbers
    hours: NDArray[np.int64]
    valid: Numbers
    valid_by: Numbers
    left: Numbers
    budget: Numbers
    left_now: float
    share: float

    @classmethod
    def of(cls, past: Past, budget_count: float, window: Window, horizon: datetime) -> "Ahead":
        """Return what is to come up to the horizon, of an objective that has had traffic."""
        now, length = past.until.timestamp(), (horizon - past.until).total_seconds()
        to_hour = _HOUR_S - now % _HOUR_S
        edges = [np.arange(to_hour, length, _HOUR_S), np.array([length])]
        is_rolling = isinstance(window, RollingWindow)
        if is_rolling:
            edges.append(past.edges + length)  # as long as the window: when its old hours leave
        times = np.unique(np.concatenate(edges))
        times = times[(times > 0) & (times <= length)]
        before = np.append(0.0, times[:-1])[: len(times)]
        hours = ((now + (before + times) / 2) // _HOUR_S).astype(np.int64)
        valid = past.rates(hours) * (times - before)
        valid_by = np.cumsum(valid)
        start = window.at(past.until).start
        valid_now = past.valid_since(start)
        left_now = budget_count - past.bad_since(start)
        if is_rolling:
            share = budget_count / valid_now
            kept = past.since(past.valid_by, times - length) + valid_by
            budget = share * kept
            left = budget - past.since(past.bad_by, times - length)
        else:
            share = budget_count / (valid_now + valid.sum())
            budget = np.full(len(times), budget_count)
            left = np.full(len(times), left_now)
        return cls(times, hours, valid, valid_by, left, budget, left_now, share)

    def affordable(self) -> float | None:
        """Return the largest constant burn that keeps within the budget at every instant."""
        some = self.valid_by > 0
        if not some.any():
            return None
        if self.left_now < 0:
            return 0.0
        return max(float((self.left[some] / self.valid_by[some]).min() / self.share), 0.0)

    def share_left(self, bad_by: Numbers) -> Numbers:
        """Return the share of the budget that is left at each instant; NaN where there is none.

        ``bad_by`` are the bad ones to come up to each instant, one row per future.
        """
        some = np.broadcast_to(self.budget > 0, bad_by.shape)
        nothing = np.full(bad_by.shape, np.nan)
        shares: Numbers = np.divide(self.left - bad_by, self.budget, out=nothing, where=some)
        return shares

    def gone(self, bad_by: Numbers) -> Numbers:
        """Return the times at which nothing is left, one per row; infinite for never.

        ``bad_by`` are the bad ones to come up to each instant, one row per future.
        """
        return self._crossing(self.left[None, :] - bad_by, down=True)

    def recovers(self, burn: float) -> float:
        """Return the time at which something is left again at a burn; infinite for never."""
        left = self.left - burn * self.share * self.valid_by
        return float(self._crossing(left[None, :], down=False)[0])

    def _crossing(self, left: Numbers, *, down: bool) -> Numbers:
        edge = NOTHING * self.left_now
        beyond = left <= edge if down else left >= edge
        crossed = beyond.any(axis=1)
        found, rows = beyond.argmax(axis=1), np.arange(len(left))
        earlier = np.where(found > 0, left[rows, found - 1], self.left_now)
        start = np.where(found > 0, self.times[found - 1], 0.0)
        fall = earlier - left[rows, found]
        step = np.divide(earlier, fall, out=np.ones(len(left)), where=crossed)
        at = start + np.minimum(step, 1.0) * (self.times[found] - start)
        return np.where(crossed, at, np.inf)

    def futures(self, blocks: Numbers, resamples: int, seed: int) -> Numbers:
        """Return the bad ones up to each instant in so many futures drawn from recent hours.

        ``blocks`` are bad and valid counts, a row per hour.
        """
        random = np.random.default_rng(seed)
        count = len(blocks)
        drawn = random.multinomial(count, np.full(count, 1 / count), size=resamples)
        chances = np.cumsum(drawn * blocks[:, 1], axis=1)
        chances /= chances[:, -1:]
        first, last = self.hours[0], self.hours[-1]
        row = np.arange(resamples)[:, None]
        picks = random.random((resamples, last - first + 1)) + row
        # Each row's chances are lifted by its number, so that one sorted search serves all rows.
        place = np.searchsorted((chances + row).ravel(), picks.ravel(), side="right")
        hour = np.minimum(place.reshape(picks.shape) - row * count, count - 1)
        bad_share = (blocks[:, 0] / blocks[:, 1])[hour]
        return np.cumsum(bad_share[:, self.hours - first] * self.valid, axis=1)
