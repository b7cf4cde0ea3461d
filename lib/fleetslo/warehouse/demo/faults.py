"""What went wrong with the demo's requests, by kind: faults, and mistakes of callers."""

from dataclasses import dataclass, field

import numpy as np

from fleetslo.warehouse.demo.catalogue import Service, random_for
from fleetslo.warehouse.demo.clock import Floats, Ints
from fleetslo.warehouse.demo.events import (
    GRPC_FAULTS,
    GRPC_MISTAKES,
    JVM_FAULTS,
    JVM_MISTAKES,
    Effect,
)


@dataclass
class Kinds:
    """The kinds of error of a service: (error, upstream, whether it is a fault), by number."""

    usual: Ints
    usual_shares: Floats
    mistakes: Ints
    mistake_rates: Floats
    made: list[tuple[str, str | None, bool]] = field(default_factory=list)

    def number(self, error: str, upstream: str | None, *, is_fault: bool) -> int:
        """Return the number of a kind."""
        kind = (error, upstream, is_fault)
        if kind not in self.made:
            self.made.append(kind)
        return self.made.index(kind)

    def of_effect(self, effect: Effect) -> tuple[Ints, Floats]:
        """Return the kinds of fault that an effect causes, and their shares."""
        numbers = [self.number(error, effect.upstream, is_fault=True) for error, _ in effect.faults]
        shares = np.array([share for _, share in effect.faults])
        return np.array(numbers), shares / shares.sum()


def kinds_of(service: Service, seed: int) -> Kinds:
    """Return the kinds of error that a service usually has."""
    random = random_for(seed, "kinds", service.name)
    jvm = service.framework == "apollo"
    kinds = Kinds(np.zeros(0, int), np.zeros(0), np.zeros(0, int), np.zeros(0))
    upstreams: list[str | None] = [edge.upstream for edge in service.edges] or [None]
    numbers, shares = [], []
    for error, by_upstream, share in JVM_FAULTS if jvm else GRPC_FAULTS:
        for upstream in upstreams if by_upstream else [None]:
            numbers.append(kinds.number(error, upstream, is_fault=True))
            shares.append(share / len(upstreams) if by_upstream else share)
    weights = np.array(shares) * random.lognormal(0, 0.7, len(shares))
    kinds.usual, kinds.usual_shares = np.array(numbers), weights / weights.sum()
    known = JVM_MISTAKES if jvm else GRPC_MISTAKES
    kinds.mistakes = np.array([kinds.number(error, None, is_fault=False) for error, _ in known])
    rates = np.array([rate for _, rate in known]) * random.lognormal(-0.3, 0.6, len(known))
    kinds.mistake_rates = rates
    return kinds


@dataclass
class ErrorCounts:
    """Errors of one series: ``row`` of the series, kind, count; a pair may occur twice."""

    rows: list[Ints] = field(default_factory=list)
    kinds: list[Ints] = field(default_factory=list)
    counts: list[Ints] = field(default_factory=list)

    def split(self, counts: Ints, kinds: Ints, shares: Floats, random: np.random.Generator) -> None:
        """Add faults that are known in number, spread over kinds by their shares."""
        rows = np.flatnonzero(counts)
        if not len(rows):
            return
        ends = np.cumsum(shares)
        ends[-1] = 1.0
        # A place of its own for each row keeps a lone fault from always being of the same kind.
        start = random.random(len(rows))
        running = np.floor(counts[rows][:, None] * ends + start[:, None]).astype(np.int64)
        running[:, -1] = counts[rows]
        running = np.minimum(running, counts[rows][:, None])
        spread = np.diff(running, axis=1, prepend=0)
        self._add(rows, kinds, spread)

    def mistakes(
        self, counts: Ints, kinds: Kinds, factor: Floats, random: np.random.Generator
    ) -> None:
        """Add mistakes of callers among requests that were no faults, to half of them at most."""
        left = (counts + 1) // 2
        for kind, rate in zip(kinds.mistakes, kinds.mistake_rates, strict=True):
            drawn = np.minimum(random.poisson(counts * (rate * factor)), left)
            left = left - drawn
            self.single(drawn, int(kind))

    def single(self, counts: Ints, kind: int) -> None:
        """Add counts of one kind, one per row of the series."""
        rows = np.flatnonzero(counts)
        self.rows.append(rows)
        self.kinds.append(np.full(len(rows), kind))
        self.counts.append(counts[rows])

    def _add(self, rows: Ints, kinds: Ints, spread: Ints) -> None:
        at, of = np.nonzero(spread)
        self.rows.append(rows[at])
        self.kinds.append(kinds[of])
        self.counts.append(spread[at, of])

    def summed(self, groups: Ints | None, kind_count: int) -> tuple[Ints, Ints, Ints]:
        """Return (group, kind, count), each pair once, sorted; ``groups`` of rows, None is rows."""
        if not self.rows:
            return np.zeros(0, int), np.zeros(0, int), np.zeros(0, int)
        rows = np.concatenate(self.rows)
        chosen = rows if groups is None else groups[rows]
        keys = chosen.astype(np.int64) * kind_count + np.concatenate(self.kinds)
        unique, inverse = np.unique(keys, return_inverse=True)
        counts = np.bincount(inverse, weights=np.concatenate(self.counts), minlength=len(unique))
        group, kind = np.divmod(unique, kind_count)
        return group, kind, np.rint(counts).astype(np.int64)
