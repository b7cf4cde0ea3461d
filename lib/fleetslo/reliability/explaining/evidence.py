"""What the minutes of an objective say about a suspect: was more bad than usual, and how much."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from fleetslo.reliability.explaining.background import (
    Bins,
    Bools,
    Usual,
    bursts,
    lump_of,
    runs,
    usual,
)
from fleetslo.reliability.explaining.suspects import Suspect

_MINUTE = timedelta(minutes=1)
_TOUCH = 15  # minutes by which the edges of what people write down may be wrong
_SIGMAS_RECORDED = 2.0  # somebody saw the harm: it has to stand out of chance alone
_SIGMAS = 4.0  # nobody did
_LEAST_BAD = 2  # one bad request is nobody's doing
_MOSTLY = 0.5  # a burst is a dependency's when at least half of it names that dependency
_STEP = 2.0  # an unrecorded rollout at least doubles the bad share …
_STEP_HOURS = 12  # … of the half day before it,
_STEP_STEADY = 0.8  # … in so many of its hours, or it is not the version that is to blame,
_NOTABLE = 0.02  # … and has at least so much of all that was bad


@dataclass(frozen=True)
class Line:
    """The minutes of one objective, without a gap between them.

    Attributes:
        start: the first minute.
        bins: what was bad and valid in each; 0 where nothing reported.
        covered: where something reported.
    """

    start: datetime
    bins: Bins
    covered: Bools

    def place(self, at: datetime) -> int:
        """Return the place of the minute that holds an instant, cut to the line."""
        return int(np.clip((at - self.start) // _MINUTE, 0, len(self.covered)))

    def at(self, place: int) -> datetime:
        """Return the start of the minute at a place."""
        return self.start + place * _MINUTE

    def between(self, start: datetime, end: datetime) -> Bools:
        """Return the minutes of a stretch; one that it only touches is its own."""
        inside = np.zeros(len(self.covered), dtype=bool)
        inside[self.place(start) : self.place(end - timedelta(microseconds=1)) + 1] = start < end
        return inside


def line_of(minutes: pl.DataFrame, objective: str) -> Line | None:
    """Return an objective's minutes as a line; None when nothing reported.

    ``minutes`` are rows of ``objective, minute, good_count, valid_count``.
    """
    own = minutes.filter(pl.col("objective") == objective)
    if own.is_empty():
        return None
    start: datetime = own["minute"].min()  # type: ignore[assignment]
    places = (own["minute"] - start).dt.total_minutes().to_numpy()
    bad, valid = (np.zeros(int(places.max()) + 1, dtype=np.int64) for _ in range(2))
    np.add.at(bad, places, (own["valid_count"] - own["good_count"]).to_numpy())
    np.add.at(valid, places, own["valid_count"].to_numpy())
    covered = np.zeros(len(bad), dtype=bool)
    covered[places] = True
    hour = (start.hour * 60 + start.minute + np.arange(len(bad))) // 60
    return Line(start, Bins(bad, valid, hour, 60), covered)


class Evidence:
    """One objective's minutes, and what its dependencies' failures say.

    Attributes:
        line: the minutes.
        names_requests: whether the signals are the objective's own bad requests.
        usual: what is usual in each minute, from the last ``estimate`` on.
        hot: which minutes belong to a burst, likewise.
    """

    usual: Usual
    hot: Bools

    def __init__(self, line: Line, signals: pl.DataFrame | None, *, names_requests: bool) -> None:
        self.line = line
        self.names_requests = names_requests and signals is not None
        self._signals = {} if signals is None else self._by_upstream(signals)

    def _by_upstream(self, signals: pl.DataFrame) -> dict[str, tuple[Bins, Usual]]:
        first = self.line.start.replace(minute=0, second=0, microsecond=0)
        minutes = self.line.bins
        valid = minutes.by_hour(minutes.valid).astype(np.int64)
        hour = minutes.hour[0] + np.arange(len(valid))
        lump = lump_of(minutes) if self.names_requests else None
        found = {}
        for (upstream,), rows in signals.group_by("upstream", maintain_order=True):
            places = (rows["hour"] - first).dt.total_hours().to_numpy()
            inside = (places >= 0) & (places < len(valid))
            counts = np.zeros(len(valid), dtype=np.int64)
            np.add.at(counts, places[inside], rows["count"].to_numpy()[inside])
            bins = Bins(counts, valid, hour, 1)
            found[str(upstream)] = (bins, usual(bins, valid > 0, lump=lump))
        return found

    def estimate(self, places: Sequence[Bools], *, drifts: bool = True) -> None:
        """Estimate what is usual from the minutes that lie in none of these stretches."""
        clean = self.line.covered & ~_any(places, len(self.line.covered))
        self.usual = usual(self.line.bins, clean, drifts=drifts)
        self.hot = bursts(self.line.bins, self.usual) & self.line.covered

    def own(self, suspect: Suspect) -> Bools:
        """Return the minutes of a suspect's stretch."""
        return self.line.between(suspect.start, suspect.end)

    def widened(self, suspects: Sequence[Suspect]) -> list[Bools]:
        """Return each suspect's minutes: its stretch, and the bursts that touch it.

        What lies in another suspect's stretch is not taken from it.
        """
        places = [self.own(suspect) for suspect in suspects]
        taken = _any(places, len(self.hot))
        for first, last in runs(self.hot):
            free = np.arange(first, last)[~taken[first:last]]
            for suspect, inside in zip(suspects, places, strict=True):
                begins = self.line.place(suspect.start) - _TOUCH
                ends = self.line.place(suspect.aftermath) + _TOUCH
                if first < ends and last > begins:
                    inside[free] = True
        return places

    def excess(self, inside: Bools) -> tuple[int, float, float]:
        """Return what was bad in these minutes, what is usual, and the doubt about the usual."""
        bad = int(self.line.bins.bad[inside].sum())
        expected = float(self.usual.expected[inside].sum())
        return bad, expected, self.usual.doubt(expected, inside.sum() / 60)

    def stands_out(self, suspect: Suspect, inside: Bools) -> bool:
        """Return whether a suspect's minutes had more bad requests than usual and chance make."""
        bad, expected, doubt = self.excess(inside)
        sigmas = _SIGMAS_RECORDED if suspect.is_recorded else _SIGMAS
        return bad >= _LEAST_BAD * self.usual.lump and bad - expected > sigmas * doubt

    def steps_up(self, suspect: Suspect) -> bool:
        """Return whether the bad share rose when a rollout began, and stayed high while it served.

        Asked of an estimate without drift, which would follow the rise.
        A service ships several times a week, so that some rollout always lies near a bad day:
        nearness proves nothing, and the rise has to be steep, steady and notable.
        """
        bins, expected = self.line.bins, self.usual.expected
        start, end = self.line.place(suspect.start), self.line.place(suspect.end)
        before = slice(max(0, start - _STEP_HOURS * 60), start)
        after = slice(start, min(end, start + _STEP_HOURS * 60))
        if expected[before].sum() <= 0 or expected[after].sum() <= 0:
            return False
        level = max(1.0, bins.bad[before].sum() / expected[before].sum())
        if bins.bad[after].sum() / expected[after].sum() < _STEP * level:
            return False
        inside = self.own(suspect)
        bad, usually, doubt = self.excess(inside)
        if bad - usually < max(_SIGMAS * doubt, _NOTABLE * bins.bad.sum()):
            return False
        seen = bins.by_hour(np.where(inside, bins.bad, 0))
        hoped = bins.by_hour(np.where(inside, expected, 0.0))
        raised = seen[hoped > 0] > level * _STEP**0.5 * hoped[hoped > 0]
        return bool(raised.mean() >= _STEP_STEADY)

    def failing(self, places: Sequence[Bools]) -> list[Suspect]:
        """Return dependencies that failed, or were slow, in bursts outside of these stretches."""
        free = self.hot & ~_any(places, len(self.hot))
        hour = self.line.bins.hour - self.line.bins.hour[0]
        found = []
        for upstream, (bins, its) in self._signals.items():
            for first, last in runs(bursts(bins, its)[hour] & free):
                start, end = self.line.at(first), self.line.at(last)
                if self._is_mostly(upstream, self.line.between(start, end)):
                    found.append(
                        Suspect("upstream", upstream, None, start, end, end, False, upstream)
                    )
        return found

    def _is_mostly(self, upstream: str, inside: Bools) -> bool:
        if not self.names_requests:
            return True
        bad, expected, _ = self.excess(inside)
        return self.named(upstream, inside) >= _MOSTLY * (bad - expected)

    def named(self, upstream: str, inside: Bools) -> float:
        """Return the failures beyond the usual that name a dependency in the hours of minutes."""
        if upstream not in self._signals:
            return 0.0
        bins, its = self._signals[upstream]
        hours = np.unique(self.line.bins.hour[inside] - self.line.bins.hour[0])
        return max(0.0, float((bins.bad[hours] - its.expected[hours]).sum()))


def _any(places: Sequence[Bools], size: int) -> Bools:
    found = np.zeros(size, dtype=bool)
    for inside in places:
        found |= inside
    return found
