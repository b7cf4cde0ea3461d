"""Rows of the demo's fact tables while they are made: plain arrays, histograms laid end to end."""

from dataclasses import dataclass, field

import numpy as np
import polars as pl
import pyarrow as pa

from fleetslo.warehouse.demo.clock import DAY, Bools, Floats, Ints, times


class Words:
    """Numbers for texts, so that rows hold numbers; 0 is no text."""

    def __init__(self) -> None:
        self.texts: list[str | None] = [None]
        self._numbers: dict[str | None, int] = {None: 0}

    def number(self, text: str | None) -> int:
        """Return the number of a text."""
        if text not in self._numbers:
            self._numbers[text] = len(self.texts)
            self.texts.append(text)
        return self._numbers[text]

    def numbers(self, texts: list[str]) -> Ints:
        """Return the numbers of several texts."""
        return np.array([self.number(text) for text in texts], dtype=np.int32)

    def same(self, text: str, length: int) -> Ints:
        """Return the number of a text so many times."""
        return np.full(length, self.number(text), dtype=np.int32)


@dataclass
class Histograms:
    """One histogram per row: ``lengths`` buckets each, all of them end to end."""

    lengths: Ints
    buckets: Ints
    counts: Ints

    @classmethod
    def empty(cls) -> "Histograms":
        """Return no histograms."""
        return cls(np.zeros(0, np.int32), np.zeros(0, np.int16), np.zeros(0, np.int32))

    @classmethod
    def of_dense(cls, dense: Ints, first_bucket: int) -> "Histograms":
        """Return the histograms of a matrix of counts, one row each, one column per bucket."""
        lengths = np.count_nonzero(dense, axis=1).astype(np.int32)
        filled = np.flatnonzero(dense)
        before = np.repeat(np.arange(len(dense)) * dense.shape[1] - first_bucket, lengths)
        buckets = (filled - before).astype(np.int16)
        return cls(lengths, buckets, dense.ravel()[filled].astype(np.int32))

    @classmethod
    def of_running(cls, running: Ints, first_bucket: int) -> "Histograms":
        """Return the histograms of a matrix of running totals."""
        dense = running.copy()
        dense[:, 1:] -= running[:, :-1]
        return cls.of_dense(dense, first_bucket)

    def sums(self, values: Floats, first_bucket: int) -> Floats:
        """Return the sum of each histogram, where bucket ``first_bucket + i`` is worth value i."""
        worth = self.counts * values[self.buckets - first_bucket]
        rows = np.repeat(np.arange(len(self.lengths)), self.lengths)
        sums: Floats = np.bincount(rows, worth, minlength=len(self.lengths))
        return sums

    @classmethod
    def joined(cls, several: list["Histograms"]) -> "Histograms":
        """Return several sets of histograms as one."""
        if not several:
            return cls.empty()
        return cls(
            np.concatenate([one.lengths for one in several]),
            np.concatenate([one.buckets for one in several]),
            np.concatenate([one.counts for one in several]),
        )

    def dense(self, rows: Ints, row_count: int, first_bucket: int, size: int) -> Ints:
        """Return a matrix in which row ``rows[i]`` is the sum of all histograms i put there."""
        places = np.repeat(rows.astype(np.int64) * size, self.lengths)
        places += self.buckets.astype(np.int64) - first_bucket
        sums = np.bincount(places, weights=self.counts, minlength=row_count * size)
        return np.rint(sums).astype(np.int64).reshape(row_count, size)

    def take(self, chosen: Ints) -> "Histograms":
        """Return the histograms of the chosen rows, in that order."""
        starts = np.concatenate([[0], np.cumsum(self.lengths, dtype=np.int64)])
        lengths = self.lengths[chosen]
        ends = np.cumsum(lengths, dtype=np.int64)
        total = int(ends[-1]) if len(ends) else 0
        index = np.repeat(starts[chosen] - (ends - lengths), lengths) + np.arange(total)
        return Histograms(lengths, self.buckets[index], self.counts[index])

    def series(self) -> pl.Series:
        """Return a column of lists of (bucket, count)."""
        offsets = np.concatenate([[0], np.cumsum(self.lengths, dtype=np.int64)])
        struct = pa.StructArray.from_arrays(
            [pa.array(self.buckets.astype(np.int64)), pa.array(self.counts.astype(np.int64))],
            ["bucket", "count"],
        )
        made = pl.from_arrow(pa.LargeListArray.from_arrays(pa.array(offsets), struct))
        assert isinstance(made, pl.Series)  # noqa: S101 - narrows the type of from_arrow
        return made


@dataclass
class Rows:
    """Rows of one table: ``time`` in minutes since ORIGIN, numbers, words by number.

    ``words`` names the columns that hold numbers of texts; ``histogram`` is the name of the
    column of histograms, where there is one.
    """

    columns: dict[str, Ints | Floats | Bools]
    words: tuple[str, ...] = ()
    histogram: str | None = None
    histograms: Histograms = field(default_factory=Histograms.empty)

    @property
    def height(self) -> int:
        """How many rows there are."""
        return len(self.columns["time"])

    @classmethod
    def joined(cls, several: list["Rows"]) -> "Rows":
        """Return the rows of several as one, and use the several up; all have the same columns."""
        first = several[0]
        if len(several) == 1:
            return first
        columns, histograms = dict[str, Ints | Floats | Bools](), first.histograms
        if first.histogram:
            histograms = Histograms.joined([rows.histograms for rows in several])
        for rows in several:
            rows.histograms = Histograms.empty()
        for name in list(first.columns):
            columns[name] = np.concatenate([rows.columns.pop(name) for rows in several])
        return cls(columns, first.words, first.histogram, histograms)

    def take(self, chosen: Ints) -> "Rows":
        """Return the chosen rows, in that order."""
        columns = {name: values[chosen] for name, values in self.columns.items()}
        histograms = self.histograms.take(chosen) if self.histogram else self.histograms
        return Rows(columns, self.words, self.histogram, histograms)

    def where(self, keep: Bools) -> "Rows":
        """Return the rows that are to be kept."""
        return self if bool(keep.all()) else self.take(np.flatnonzero(keep))

    def order(self, names: tuple[str, ...], texts: pl.Series) -> Ints:
        """Return the order of the rows: by day, then by these columns; texts by their letters."""
        ranks = texts.rank("dense").fill_null(0).cast(pl.Int64).to_numpy()
        keys: Ints = np.asarray(self.columns["time"], dtype=np.int64) // DAY
        for name in names:
            values = self.columns[name]
            if name in self.words:
                values = ranks[values]
            elif name == "time":
                values = values % DAY
            values = values.astype(np.int64)
            present = np.bincount(values)
            # Only what occurs counts, or the keys of a large fleet would not fit.
            numbers = np.cumsum(present > 0) - 1
            keys = keys * (int(numbers[-1]) + 1) + numbers[values]
        order: Ints = np.argsort(keys, kind="stable")
        return order

    def frame(self, texts: pl.Series, time: str) -> pl.DataFrame:
        """Return the rows as a frame, ``time`` under its name in the table."""
        minutes = self.columns["time"].astype(np.int64)
        series = [times(minutes).alias(time)]
        for name, values in self.columns.items():
            if name in self.words:
                series.append(texts[values].alias(name))
            elif name != "time":
                series.append(pl.Series(name, values))
        if self.histogram:
            series.append(self.histograms.series().alias(self.histogram))
        return pl.DataFrame(series)


def exact(durations_s: Floats) -> Floats:
    """Return durations rounded to 2**-20 s (about 1 µs), so that they add up alike in any order."""
    rounded: Floats = np.rint(durations_s * 2.0**20) / 2.0**20
    return rounded
