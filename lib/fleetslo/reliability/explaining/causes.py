"""Where a budget went, by cause: incidents, rollouts, dependencies, the usual background.

Causes exclude each other, and their counts add up to all that was bad. A cause owns what was bad
in its minutes beyond the usual; the usual part stays with the background. Where two causes overlap
the minutes belong to "A and B". People write incidents down minutes late or early, so a burst that
touches a cause belongs to it as a whole. A burst that nothing explains is unattributed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from fleetslo.reliability.explaining.background import Bools, runs
from fleetslo.reliability.explaining.evidence import Evidence, Line, line_of
from fleetslo.reliability.explaining.suspects import (
    Suspect,
    of_dependencies,
    of_incidents,
    of_rollouts,
    rollouts,
)

BACKGROUND = "the usual background"
UNATTRIBUTED = "unattributed"

SCHEMA = pl.Schema(
    {
        "kind": pl.String(),
        "cause": pl.String(),
        "title": pl.String(),
        "bad_count": pl.Int64(),
        "share": pl.Float64(),
        "spent": pl.Float64(),
        "minute_count": pl.Int64(),
        "first": pl.Datetime("us", "UTC"),
        "last": pl.Datetime("us", "UTC"),
    }
)
"""The columns of an explanation."""

_REST = {BACKGROUND: "background", UNATTRIBUTED: "unattributed"}
_ORDER = {"background": 1, "unattributed": 2}

Key = tuple[str, ...]
"""The causes of a group of minutes."""


def explain(
    minutes: pl.DataFrame,
    objective: str,
    *,
    incidents: pl.DataFrame,
    deployments: pl.DataFrame,
    dependencies: pl.DataFrame,
    signals: pl.DataFrame | None = None,
    names_requests: bool = True,
    budget_spent: float | None = None,
) -> pl.DataFrame:
    """Return one row per cause; the rows add up to every bad request of the minutes.

    Args:
        minutes: rows of ``objective, minute, good_count, valid_count`` over the window.
        objective: its name.
        incidents: ``oncall/incidents`` of the service.
        deployments: ``delivery/deployments`` of the service.
        dependencies: ``oncall/incidents`` of the services that it calls.
        signals: rows of ``hour, upstream, count``: errors that name a dependency, or calls to it
            that were slow; None where nothing tells one dependency from another.
        names_requests: whether ``count`` are the objective's own bad requests, so that a
            dependency can have caused no more than there are.
        budget_spent: the share of the budget that all of it spent; None leaves ``spent`` null.

    Columns: ``kind`` (``incident``, ``deployment``, ``upstream``, ``overlap``, ``background``,
    ``unattributed``), ``cause`` ("INC-7 (rollout r-3)"), ``title``, ``bad_count``, ``share`` of
    all bad, ``spent`` of the budget, and the minutes that are its own: ``minute_count``, ``first``
    and ``last``. The service's incidents, the background and what is unattributed have a row even
    when it is 0. The causes come first, the greatest leading. No row when nothing reported.
    """
    line = line_of(minutes, objective)
    if line is None:
        return pl.DataFrame(schema=SCHEMA)
    until = line.at(len(line.covered))
    evidence = Evidence(line, signals, names_requests=names_requests)
    shipped = rollouts(deployments, until)
    own = of_incidents(incidents, shipped, until)
    suspects = [*own, *of_dependencies(dependencies, until)]
    suspects = _accuse(evidence, suspects, of_rollouts(shipped, incidents))
    places = evidence.widened(suspects)
    evidence.estimate(places)
    kept = [
        (suspect, inside)
        for suspect, inside in zip(suspects, places, strict=True)
        if evidence.stands_out(suspect, inside)
    ]
    shares = _Division(evidence, kept).shares
    for suspect in own:
        shares.setdefault((suspect.cause,), _Share())
    return _told(shares, line, suspects, budget_spent)


def _accuse(
    evidence: Evidence, suspects: Sequence[Suspect], released: Sequence[Suspect]
) -> list[Suspect]:
    """Return the suspects, with the rollouts and dependencies that the minutes speak against."""
    found = [*suspects, *(one for one in released if one.is_recorded)]
    evidence.estimate([evidence.own(one) for one in found], drifts=False)
    found += [one for one in released if not one.is_recorded and evidence.steps_up(one)]
    places = [evidence.own(one) for one in found]
    evidence.estimate(places)
    return found + evidence.failing(evidence.widened(found))


@dataclass
class _Share:
    """What one group of causes owns: bad requests, and its minutes by their places."""

    bad: int = 0
    minutes: int = 0
    first: int | None = None
    last: int | None = None

    def add(self, bad: int, inside: Bools) -> None:
        """Add bad requests and the minutes that they lie in."""
        self.bad += bad
        places = np.flatnonzero(inside)
        if len(places):
            self.minutes += len(places)
            first, last = int(places[0]), int(places[-1])
            self.first = first if self.first is None else min(self.first, first)
            self.last = last if self.last is None else max(self.last, last)


class _Division:
    """Every bad request, divided among groups of causes, the background and the unattributed."""

    def __init__(self, evidence: Evidence, kept: Sequence[tuple[Suspect, Bools]]) -> None:
        self.evidence = evidence
        self.upstreams = {suspect.cause: suspect.upstream for suspect, _ in kept}
        self.shares: dict[Key, _Share] = {(name,): _Share() for name in _REST}
        covered = evidence.line.covered
        free = covered.copy()
        for key, inside in _groups(kept, len(covered)):
            free &= ~inside
            self._give(key, inside & covered)
        for first, last in runs(free & evidence.hot):
            burst = np.zeros(len(covered), dtype=bool)
            burst[first:last] = True
            self._give((UNATTRIBUTED,), burst)
        calm = free & ~evidence.hot
        self.shares[(BACKGROUND,)].add(int(evidence.line.bins.bad[calm].sum()), calm)

    def _give(self, key: Key, inside: Bools) -> None:
        """Give a group what was bad beyond the usual in its minutes, the usual to the background.

        What it cannot have done is left unattributed.
        """
        bad, expected, _ = self.evidence.excess(inside)
        excess = min(bad, max(0, round(bad - expected)))
        owned = min(excess, self._most(key, inside, bad))
        self.shares.setdefault(key, _Share()).add(owned, inside)
        self.shares[(UNATTRIBUTED,)].bad += excess - owned
        self.shares[(BACKGROUND,)].bad += bad - excess

    def _most(self, key: Key, inside: Bools, bad: int) -> int:
        """Return how much a group can have done: dependencies alone, what names them."""
        named = {self.upstreams.get(cause) for cause in key}
        if not self.evidence.names_requests or None in named:
            return bad
        return round(sum(self.evidence.named(one, inside) for one in named if one is not None))


def _groups(kept: Iterable[tuple[Suspect, Bools]], size: int) -> list[tuple[Key, Bools]]:
    """Return the minutes that have the same causes, each group with their names in order.

    Groups grow by one suspect at a time, so that no minute needs a set of its own.
    """
    numbers: dict[Key, int] = {(): 0}
    group = np.zeros(size, dtype=np.int64)
    for suspect, inside in kept:
        keys = list(numbers)
        for number in np.unique(group[inside]):
            key = tuple(sorted({*keys[number], suspect.cause}))
            numbers.setdefault(key, len(numbers))
            group[inside & (group == number)] = numbers[key]
    return [(key, group == number) for key, number in numbers.items() if key]


def _told(
    shares: dict[Key, _Share], line: Line, suspects: Sequence[Suspect], spent: float | None
) -> pl.DataFrame:
    known = {suspect.cause: suspect for suspect in suspects}
    total = int(line.bins.bad.sum())
    rows = []
    for key, share in shares.items():
        one = known.get(key[0]) if len(key) == 1 else None
        part = share.bad / total if total else None
        rows.append(
            {
                "kind": "overlap" if len(key) > 1 else one.kind if one else _REST[key[0]],
                "cause": " and ".join(key),
                "title": one.title if one else None,
                "bad_count": share.bad,
                "share": part,
                "spent": None if part is None or spent is None else part * spent,
                "minute_count": share.minutes,
                "first": None if share.first is None else line.at(share.first),
                "last": None if share.last is None else line.at(share.last),
            }
        )
    return in_order(pl.DataFrame(rows, schema=SCHEMA))


def in_order(explanation: pl.DataFrame) -> pl.DataFrame:
    """Return the causes with the greatest first, then the background and the unattributed."""
    order = pl.col("kind").replace_strict(_ORDER, default=0, return_dtype=pl.Int64)
    return explanation.sort(order, -pl.col("bad_count"), "cause")
