"""What happened to a latency over a period, in one sentence.

A quantile per time bin goes in. Its daily rhythm is taken out, levels are found by splitting
where the medians on both sides differ most, and what still stands out from its level is a
spell. Nothing here judges an objective; it only says what the picture shows.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from fleetslo.charts import words

Floats = npt.NDArray[np.float64]

LEAST_STEP = np.log(1.15)  # three buckets; a smaller lasting change is not worth a title
LEAST_SPELL = np.log(1.3)  # a spell is brief, so it must stand out more
LEAST_SPREAD = 0.02  # half a bucket: a quantile is not known better than that
SPREADS = 4.0  # how many robust standard deviations stand out
LEAST_BEYOND = 10  # requests beyond a quantile, for it to be more than a single request's luck
LEAST_GAIN = 0.25  # of the absolute deviations, that a split must explain
LEAST_DAYS = 4  # a daily rhythm needs a few days to be told from chance
STEADY = 1.5  # a quantile that stays within this factor is called steady
MOST_OF_IT = (0.02, 0.98)  # of the bins: the range that is told
QUANTILES = ((0.99, "p99"), (0.95, "p95"), (0.5, "p50"))


@dataclass(frozen=True)
class Event:
    """A stretch in which a latency differed from the stretch before it.

    Attributes:
        start: when it began.
        end: when it was over; None if it lasted to the end of the period.
        before_s: the level before, seconds.
        after_s: the level during it (of a spell under a day its peak), seconds.
        lasting: whether it is a new level (at least a day) and not a spell.
    """

    start: datetime
    end: datetime | None
    before_s: float
    after_s: float
    lasting: bool

    @property
    def size(self) -> float:
        """How far the level moved, as the absolute logarithm of the factor."""
        return abs(float(np.log(self.after_s / self.before_s)))


def latency_finding(levels: pl.DataFrame, step: timedelta) -> str:
    """Return the sentence that a chart of latency over time may have as its title.

    Args:
        levels: one row per time bin, in order, as ``grid.levels`` returns them: ``bin``,
            ``duration_count`` and ``p50_s, p95_s, p99_s`` (null for none).
        step: the width of a bin.
    """
    total = int(levels["duration_count"].sum())
    chosen = _readable_quantile(levels)
    if chosen is None:
        median = levels["p50_s"].drop_nulls().median()
        about = words.latency(float(median)) if isinstance(median, float) else words.NOTHING
        return f"{words.plural(total, 'request')}, too few for a trend; the middle one took {about}"
    q, name = chosen
    enough = pl.col("duration_count") * (1 - q) >= LEAST_BEYOND / 3
    values = levels.select(pl.when(enough).then(pl.col(f"{name}_s"))).to_series()
    found = events(levels["bin"].to_list(), values.to_list(), step)
    return _told(found, name) if found else _steady(levels, name, values)


def _readable_quantile(levels: pl.DataFrame) -> tuple[float, str] | None:
    busy = levels.filter(pl.col("duration_count") > 0)["duration_count"].median()
    typical = float(busy) if isinstance(busy, float | int) else 0.0
    readable = (pair for pair in QUANTILES if typical * (1 - pair[0]) >= LEAST_BEYOND)
    return next(readable, None)


def events(starts: list[datetime], values: list[float | None], step: timedelta) -> list[Event]:
    """Return where a series left its level, in order; missing values are None.

    Args:
        starts: the start of each bin.
        values: a quantile per bin, seconds.
        step: the width of a bin.
    """
    logs = np.log(np.array([np.nan if v is None or v <= 0 else v for v in values], dtype=float))
    present = np.flatnonzero(~np.isnan(logs))
    if len(present) < 6:
        return []
    at = [starts[index] for index in present]
    series = _without_rhythm(logs[present], at, step)
    shortest = max(4, int(timedelta(days=1) / step))
    cuts = _settled(series, sorted(_cuts(series, 0, shortest)), shortest)
    pieces = list(zip([0, *cuts], [*cuts, len(series)], strict=True))
    level = np.concatenate([np.full(b - a, np.median(series[a:b])) for a, b in pieces])
    return sorted(
        [*_lasting(at, level, pieces), *_spells(at, series, level, step)], key=lambda e: e.start
    )


def _without_rhythm(logs: Floats, at: list[datetime], step: timedelta) -> Floats:
    """Return the series less what each time of day adds, when there are days enough to tell."""
    days = np.array([moment.toordinal() for moment in at])
    if step >= timedelta(days=1) or len(np.unique(days)) < LEAST_DAYS:
        return logs
    hours = np.array([moment.hour for moment in at])
    daily = np.array([np.median(logs[days == day]) for day in days])
    rhythm = np.array([np.median((logs - daily)[hours == hour]) for hour in hours])
    return np.asarray(logs - rhythm, dtype=np.float64)


def _cuts(series: Floats, offset: int, shortest: int) -> Iterator[int]:
    """Yield the indices where a new level begins, by splitting the series again and again."""
    size = len(series)
    if size < 2 * shortest:
        return
    whole = np.abs(series - np.median(series)).sum()
    cut, cost = _best_cut(series, shortest)
    left, right = series[:cut], series[cut:]
    step = abs(np.median(right) - np.median(left))
    noise = max(_spread(left), _spread(right), LEAST_SPREAD)
    if step < max(LEAST_STEP, 2 * noise) or cost > (1 - LEAST_GAIN) * whole:
        return
    yield offset + cut
    yield from _cuts(left, offset, shortest)
    yield from _cuts(right, offset + cut, shortest)


def _best_cut(series: Floats, shortest: int) -> tuple[int, float]:
    """Return where two medians explain a series best, and the deviations they leave."""
    candidates = range(shortest, len(series) - shortest + 1)
    costs = [_cost(series[:cut]) + _cost(series[cut:]) for cut in candidates]
    best = int(np.argmin(costs))
    return candidates[best], costs[best]


def _settled(series: Floats, cuts: list[int], shortest: int) -> list[int]:
    """Return the cuts, each moved to where it is best between its neighbours."""
    for position, _ in enumerate(cuts):
        first = cuts[position - 1] if position else 0
        last = cuts[position + 1] if position + 1 < len(cuts) else len(series)
        cuts[position] = first + _best_cut(series[first:last], shortest)[0]
    return cuts


def _cost(series: Floats) -> float:
    return float(np.abs(series - np.median(series)).sum())


def _spread(series: Floats) -> float:
    """Return the standard deviation as the median absolute deviation gives it (× 1.4826)."""
    return 1.4826 * float(np.median(np.abs(series - np.median(series))))


def _lasting(at: list[datetime], level: Floats, pieces: list[tuple[int, int]]) -> Iterator[Event]:
    """Yield the levels that differ from the one before; going back to the old one is its end."""
    position = 1
    while position < len(pieces):
        (first, last), before = pieces[position], level[pieces[position][0] - 1]
        here = level[first]
        back = (
            position + 1 < len(pieces) and abs(level[pieces[position + 1][0]] - before) < LEAST_STEP
        )
        end = at[last] if back else None
        yield Event(at[first], end, float(np.exp(before)), float(np.exp(here)), lasting=True)
        position += 2 if back else 1


def _spells(at: list[datetime], series: Floats, level: Floats, step: timedelta) -> Iterator[Event]:
    excess = series - level
    high = excess > max(LEAST_SPELL, SPREADS * max(_spread(excess), LEAST_SPREAD))
    marked = np.flatnonzero(high)
    if not len(marked):
        return
    for run in np.split(marked, np.flatnonzero(np.diff(marked) > 2) + 1):
        peak = run[int(np.argmax(excess[run]))]
        over = at[run[-1]] + step
        brief = over - at[run[0]] < timedelta(days=1)
        height = excess[peak] if brief else np.median(excess[run])
        yield Event(
            at[run[0]],
            None if run[-1] == len(series) - 1 else over,
            float(np.exp(level[peak])),
            float(np.exp(level[peak] + height)),
            lasting=False,
        )


def _told(found: list[Event], name: str) -> str:
    largest = sorted(found, key=lambda event: -event.size * (2 if event.lasting else 1))
    rises = [event for event in found if not event.lasting]
    if len(found) > 2 and len(rises) == len(found):
        top = largest[0]
        return (
            f"{name} rose in {words.numeral(len(found))} spells, most on {words.day(top.start)}: "
            f"{_range(top.before_s, top.after_s, 'to')}"
        )
    told = sorted(largest[:2], key=lambda event: (not event.lasting, event.start))
    first, *rest = told
    sentence = f"{name} {_from_to(first)} {_when(first)}"
    for event in rest:
        fell = event.after_s < event.before_s
        if event.lasting == first.lasting:
            same = fell == (first.after_s < first.before_s)
            verb = "" if same else ("fell " if fell else "rose ")
        else:
            verb = "went up "
        sentence += f" and {verb}to {words.latency(event.after_s)} {_when(event)}"
    return sentence


def _from_to(event: Event) -> str:
    verb = "fell" if event.after_s < event.before_s else "rose"
    return f"{verb} from {_range(event.before_s, event.after_s, 'to')}"


def _when(event: Event) -> str:
    if event.end is None:
        stayed = "" if event.lasting else " and stayed there"
        return f"on {words.day(event.start)}{stayed}"
    length = event.end - event.start
    if event.lasting or length > timedelta(hours=36):
        first, last = words.day(event.start), words.day(event.end)
        shared = event.start.month == event.end.month
        return f"between {first.split()[0] if shared else first} and {last}"
    return f"for {words.window(length)} on {words.day(event.start)}"


def _steady(levels: pl.DataFrame, name: str, values: pl.Series) -> str:
    seen = levels.select("bin").with_columns(value=values).drop_nulls()
    low, high = (float(np.quantile(seen["value"].to_numpy(), part)) for part in MOST_OF_IT)
    if high > STEADY * low:
        return f"{name} moved between {_range(low, high, 'and')}, with no lasting change"
    pair = _range(low, high, "and")
    return f"Latency held steady: {name} {'between' if ' and ' in pair else 'at'} {pair}"


def _range(one_s: float, other_s: float, joined: str) -> str:
    """Return two durations as prose that says a shared unit once: "212 to 390 ms"."""
    pair = words.bounds(words.latency(one_s), words.latency(other_s))
    return pair.replace(" – ", f" {joined} ")
