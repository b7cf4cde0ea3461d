"""Recorded minutes as sums that any window is read from: one pair of arrays per objective."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from fleetslo.errors import ParameterError
from fleetslo.periods import instant

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Whole = NDArray[np.int64]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PER_MINUTE = {"ms": 60_000, "us": 60_000_000, "ns": 60_000_000_000}
_COUNTS = ("good_count", "valid_count", "uncertain_count")


@dataclass(frozen=True)
class Minutes:
    """Every minute of a stretch, covered or not, as sums from its start.

    Attributes:
        first: the first minute, counted from 1970.
        bad_sums: certainly bad requests before each minute, and at the end of all.
        valid_sums: all requests that count, likewise.
        places: which minutes are covered, counted from the first.
    """

    first: int
    bad_sums: "Whole"
    valid_sums: "Whole"
    places: "Whole"

    @property
    def count(self) -> int:
        """How many minutes the stretch holds."""
        return len(self.bad_sums) - 1

    @property
    def covered_count(self) -> int:
        """How many of them are covered."""
        return len(self.places)

    @cached_property
    def covered_sums(self) -> "Whole":
        """Covered minutes before each minute, and at the end of all."""
        flags = np.zeros(self.count, np.int64)
        flags[self.places] = 1
        return _sums(flags)

    def end_of(self, place: int) -> datetime:
        """Return the instant at which a minute ends."""
        return _EPOCH + timedelta(minutes=self.first + place + 1)

    def bad_in(self, start: int, stop: int) -> int:
        """Return the certainly bad requests from one minute up to another, by their places.

        Minutes before the first hold none.
        """
        return int(self.bad_sums[stop] - self.bad_sums[max(start, 0)])

    def bad_over(self, length: int) -> "Whole":
        """Return, for the end of every minute, the certainly bad of the last ``length`` minutes."""
        return _over(self.bad_sums, length)

    def valid_over(self, length: int) -> "Whole":
        """Return, for the end of every minute, the requests of the last ``length`` minutes."""
        return _over(self.valid_sums, length)

    def covered_over(self, length: int) -> "Whole":
        """Return, for the end of every minute, how many of the last ``length`` are covered."""
        return _over(self.covered_sums, length)


def _sums(values: "Whole") -> "Whole":
    sums = np.zeros(len(values) + 1, np.int64)
    np.cumsum(values, out=sums[1:])
    return sums


def _over(sums: "Whole", length: int) -> "Whole":
    found = sums[1:].copy()
    found[length:] -= sums[1:-length]
    return found


def recorded(
    minutes: pl.DataFrame, keys: Sequence[str], until: datetime | None = None
) -> Iterator[tuple[dict[str, str], Minutes]]:
    """Yield each objective's minutes, up to one end for all, with its values of the keys.

    Args:
        minutes: one row per covered minute; ``minute, good_count, valid_count``, the keys and
            perhaps ``uncertain_count``, in any order.
        keys: the columns that tell objectives apart.
        until: the end; None for the end of the newest minute of all.

    Raises:
        ParameterError: a column is missing or of another type, a value is missing, counts cannot
            be, or an objective has a minute twice.
        PeriodError: ``until`` has no zone.
    """
    _check_columns(minutes, keys)
    if minutes.is_empty():
        return
    per_minute = _PER_MINUTE[minutes.schema["minute"].time_unit]  # type: ignore[attr-defined]
    newest = int(minutes["minute"].to_physical().max()) // per_minute  # type: ignore[arg-type]
    end = newest + 1 if until is None else (instant(until) - _EPOCH) // timedelta(minutes=1)
    for name, rows in _apart(minutes, keys):
        found = _dense(rows, per_minute, end, name)
        if found is not None:
            yield name, found


def _check_columns(minutes: pl.DataFrame, keys: Sequence[str]) -> None:
    missing = [c for c in ("minute", *_COUNTS[:2]) if c not in minutes.columns]
    if missing:
        raise ParameterError(f"minutes lack {', '.join(missing)}; they have {minutes.columns}")
    stamp = minutes.schema["minute"]
    if not isinstance(stamp, pl.Datetime) or stamp.time_zone != "UTC":
        raise ParameterError(f"minutes: column 'minute' is {stamp}; store it as UTC")
    for column in (c for c in _COUNTS if c in minutes.columns):
        if not minutes.schema[column].is_integer():
            raise ParameterError(
                f"minutes: column {column!r} is {minutes.schema[column]}; counts are whole numbers"
            )
    for column in ("minute", *keys, *(c for c in _COUNTS if c in minutes.columns)):
        if minutes[column].null_count():
            raise ParameterError(f"minutes: column {column!r} holds null; a covered minute has all")


def _apart(
    minutes: pl.DataFrame, keys: Sequence[str]
) -> Iterator[tuple[dict[str, str], pl.DataFrame]]:
    """Yield the rows of each objective; sorts them only where an objective's are scattered."""
    if not keys:
        yield {}, minutes
        return
    changed = pl.any_horizontal(pl.col(key) != pl.col(key).shift() for key in keys)
    begins = changed.fill_null(True).arg_true()
    starts = minutes.select(begins).to_series()
    if minutes.select(keys)[starts].is_duplicated().any():
        minutes = minutes.sort(*keys, "minute")
        starts = minutes.select(begins).to_series()
    names = minutes.select(keys)[starts].iter_rows(named=True)
    for name, (start, stop) in zip(names, pairwise([*starts, minutes.height]), strict=True):
        yield name, minutes.slice(start, stop - start)


def _dense(rows: pl.DataFrame, per_minute: int, end: int, name: dict[str, str]) -> Minutes | None:
    """Return the rows of one objective with a place for every minute; None if all come later."""
    stamps = rows["minute"].to_physical().to_numpy()
    steps = np.diff(stamps)
    if (steps < 0).any():
        rows = rows.sort("minute")
        stamps = rows["minute"].to_physical().to_numpy()
        steps = np.diff(stamps)
    whose = " of " + " ".join(name.values()) if name else ""
    if (stamps % per_minute).any():
        raise ParameterError(f"minutes{whose}: a minute does not begin on a whole minute")
    if (steps == 0).any():
        twice = rows["minute"][int(np.flatnonzero(steps == 0)[0])]
        raise ParameterError(f"minutes{whose}: {twice:%Y-%m-%d %H:%M} is there twice")
    good, valid, uncertain = (
        rows[c].to_numpy().astype(np.int64, copy=False) if c in rows.columns else np.int64(0)
        for c in _COUNTS
    )
    bad = valid - good - uncertain
    if min(np.min(good), np.min(bad), np.min(uncertain)) < 0:
        raise ParameterError(
            f"minutes{whose}: counts cannot be; good and uncertain requests are 0 or more and "
            "together at most the valid ones"
        )
    first = int(stamps[0]) // per_minute
    if first >= end:
        return None
    places = stamps // per_minute - first
    kept = int(np.searchsorted(places, end - first))
    places, bad, valid = places[:kept], bad[:kept], np.asarray(valid)[:kept]
    if kept == end - first:
        return Minutes(first, _sums(bad), _sums(valid), places)
    spread = np.zeros((2, end - first), np.int64)
    spread[0, places], spread[1, places] = bad, valid
    return Minutes(first, _sums(spread[0]), _sums(spread[1]), places)
